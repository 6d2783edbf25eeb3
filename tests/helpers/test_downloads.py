"""Downloads: complete and checked, or not at all."""

import hashlib

import pytest

from cs231n_utils import downloads
from cs231n_utils.downloads import DamagedFileError, DownloadError, RemoteFile, fetch

CONTENT = b"weights " * 20_000


def remote(**known):
    return RemoteFile(
        **{"url": "http://example.invalid/a/pictures.bin", "max_bytes": 1 << 20} | known
    )


def digest(content):
    return hashlib.sha256(content).hexdigest()


def left_in(cache):
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


def test_a_file_is_fetched_once_and_kept(server, cache):
    server.files["pictures.bin"] = CONTENT
    file = remote(sha256_prefix=digest(CONTENT)[:8])
    for _ in range(2):
        assert fetch(file).read_bytes() == CONTENT
    assert server.requests == ["pictures.bin"]
    assert left_in(cache) == ["pictures.bin"]


def test_a_file_put_there_by_hand_is_taken_without_a_network(offline, cache):
    cache.mkdir()
    (cache / "pictures.bin").write_bytes(CONTENT)
    assert fetch(remote(sha256_prefix=digest(CONTENT))) == cache / "pictures.bin"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        pytest.param({"sha256_prefix": "00000000"}, "SHA-256 that starts with 00000000", id="sum"),
        pytest.param({"max_bytes": 100_000}, "at most 100,000 bytes", id="too long"),
        pytest.param({"min_bytes": 900_000}, "at least 900,000 bytes, got 160,000", id="too short"),
    ],
)
def test_a_wrong_file_is_named_and_leaves_nothing(known, words, server, cache):
    server.files["pictures.bin"] = CONTENT
    with pytest.raises(DamagedFileError, match=words):
        fetch(remote(**known))
    assert left_in(cache) == []


def test_a_connection_that_breaks_off_leaves_nothing(server, cache):
    server.files["pictures.bin"] = CONTENT
    server.cut = 70_000
    with pytest.raises((DamagedFileError, DownloadError), match=r"pictures\.bin"):
        fetch(remote())
    assert left_in(cache) == []


def test_ctrl_c_leaves_nothing(server, cache, monkeypatch):
    server.files["pictures.bin"] = CONTENT

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "_problem", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(remote())
    assert left_in(cache) == []


def test_a_damaged_copy_in_the_cache_is_replaced(server, cache):
    cache.mkdir()
    (cache / "pictures.bin").write_bytes(CONTENT[:-1])
    server.files["pictures.bin"] = CONTENT
    assert fetch(remote(sha256_prefix=digest(CONTENT))).read_bytes() == CONTENT


def test_without_a_network_the_message_says_what_from_where_and_where_to(offline, cache):
    with pytest.raises(DownloadError) as caught:
        fetch(remote())
    message = str(caught.value)
    assert "pictures.bin is not on this machine" in message
    assert "http://127.0.0.1:9/pictures.bin" in message
    assert str(cache / "pictures.bin") in message
    assert 'load_model("menagerie")' in message


def test_without_a_network_a_damaged_copy_is_said_to_be_damaged(offline, cache):
    cache.mkdir()
    (cache / "pictures.bin").write_bytes(b"x")
    with pytest.raises(DownloadError, match="on this machine is damaged: expected at least 5"):
        fetch(remote(min_bytes=5))


def test_a_file_that_the_server_lacks_is_said_to_be_lacking(server):
    with pytest.raises(DownloadError, match="answered 404"):
        fetch(remote())


def test_a_cache_folder_that_cannot_be_made_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CS231N_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match="file"):
        fetch(remote())


@pytest.mark.parametrize("mirror", ["file:///etc", "ftp://127.0.0.1", "no address"])
def test_only_http_is_spoken(mirror, monkeypatch):
    monkeypatch.setenv("CS231N_MIRROR", mirror)
    with pytest.raises(DownloadError, match="not an http or https address"):
        fetch(remote())


def test_without_a_mirror_the_publisher_is_asked(monkeypatch):
    monkeypatch.delenv("CS231N_MIRROR", raising=False)
    assert remote().source == "http://example.invalid/a/pictures.bin"


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        pytest.param("linux", {"XDG_CACHE_HOME": "/c"}, "/c/cs231n-lab", id="linux"),
        pytest.param("linux", {}, "/home/ada/.cache/cs231n-lab", id="linux, plain"),
        pytest.param("darwin", {}, "/home/ada/Library/Caches/cs231n-lab", id="macOS"),
        pytest.param("win32", {"LOCALAPPDATA": "/l"}, "/l/cs231n-lab", id="Windows"),
        pytest.param("linux", {"CS231N_CACHE": "~/lab"}, "/home/ada/lab", id="chosen"),
    ],
)
def test_each_platform_has_its_cache_folder(platform, variables, folder, monkeypatch):
    for name in ("CS231N_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/ada"} | variables).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(downloads.sys, "platform", platform)
    assert downloads.cache_folder().as_posix() == folder
