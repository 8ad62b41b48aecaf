"""The completion scripts: each shell can read its own, and bash completes with it."""

import shutil
import subprocess

import pytest

from lab.daemon import program


def script(shell: str) -> str:
    argv = [program("linkwatch"), "--generate-completion-script", shell]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def run(*argv: str) -> str:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("shell, check", [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_shell_can_read_it(tmp_path, shell: str, check: str):
    file = tmp_path / "completion"
    file.write_text(script(shell))
    run(shell, check, str(file))


def completed(tmp_path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    file = tmp_path / "completion"
    file.write_text(script("bash"))
    line = " ".join(words)
    return set(
        run(
            "bash",
            "--norc",
            "-c",
            f"""source {file}
            COMP_WORDS=({" ".join(f"'{word}'" for word in words)}) COMP_CWORD={len(words) - 1}
            COMP_LINE='{line}' COMP_POINT={len(line)}
            _linkwatch linkwatch '{words[-1]}' '{words[-2]}'
            printf '%s\\n' "${{COMPREPLY[@]}}"
            """,
        ).split()
    )


def test_commands_are_completed(tmp_path):
    assert completed(tmp_path, "linkwatch", "w") == {"wait", "watch"}


def test_options_are_completed(tmp_path):
    assert completed(tmp_path, "linkwatch", "wait", "--tim") == {"--timeout"}


def test_interfaces_are_completed(tmp_path):
    assert "lo" in completed(tmp_path, "linkwatch", "mii", "l")
