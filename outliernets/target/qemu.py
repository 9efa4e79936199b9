"""placeholder"""
class QemuTarget: pass
