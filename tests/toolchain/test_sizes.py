"""Stack frames as the compilers write them."""

from outliernets.toolchain import sizes


def test_gccs_stack_usage_files() -> None:
    text = (
        "check.c:10:13:hello\t40\tstatic\n"
        "sub/dir.c:1:2:main\t8\tdynamic,bounded\n"
        "a.c:3:1:hello\t16\tstatic\n"
    )
    assert sizes.parse_su(text) == {"hello": 40, "main": 8}


def test_clangs_stack_size_section() -> None:
    data = bytes.fromhex("01000008 1021000008 800140000008 00")
    assert list(sizes._stack_sizes(data, 4)) == [
        (0x08000001, 16),
        (0x08000021, 128),
        (0x08000040, 0),
    ]
