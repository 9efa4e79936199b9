"""Networks as plain data (ArchSpec), the paper's 24 of them (zoo), and how Keras builds one."""
