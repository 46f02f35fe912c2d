"""Animations: complete files, or none and a reason."""

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.animation import FFMpegWriter, PillowWriter
from PIL import Image

from skcolora.inspection import SnapshotDisplay


@pytest.fixture
def line():
    x = np.linspace(0, 1, 9)
    y = np.stack([np.sin(2 * np.pi * (x - t)) for t in (0, 0.2, 0.4)])
    return SnapshotDisplay(y_true=y, y_pred=0.9 * y, times=[0, 0.2, 0.4], points=x)


def test_gif_in_one_dimension(line, tmp_path, monkeypatch):
    # Frames keep their size whatever the user's settings for pictures are.
    monkeypatch.setitem(matplotlib.rcParams, "savefig.bbox", "tight")
    path = tmp_path / "line.gif"
    plt.close("all")
    line.save_animation(path, fps=4, dpi=40)
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (3, (240, 184), 250)
        first = np.asarray(gif.convert("RGB"))
        gif.seek(2)
        assert (first != np.asarray(gif.convert("RGB"))).any()
    assert [entry.name for entry in tmp_path.iterdir()] == ["line.gif"]
    assert not plt.get_fignums()


def test_gif_of_images(vlasov, tmp_path):
    scattered = np.random.RandomState(0).rand(20, 2)
    y = np.stack([scattered[:, 0], scattered[:, 1]])
    displays = [
        SnapshotDisplay(
            y_true=vlasov.y[0], y_pred=vlasov.y[1], times=vlasov.times, points=vlasov.points
        ),
        SnapshotDisplay(y_true=y, y_pred=0.9 * y, times=[0, 1], points=scattered),
    ]
    for display in displays:
        display.save_animation(str(tmp_path / "images.gif"), dpi=30)
        with Image.open(tmp_path / "images.gif") as gif:
            assert gif.n_frames == len(display.y_true)


def test_a_failure_leaves_the_old_file(line, tmp_path, monkeypatch):
    path = tmp_path / "line.gif"
    path.write_text("old")

    def fail(self):
        raise OSError("disk full")

    monkeypatch.setattr(PillowWriter, "finish", fail)
    with pytest.raises(OSError, match="disk full"):
        line.save_animation(path, dpi=20)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not FFMpegWriter.isAvailable(), reason="ffmpeg is not installed")
def test_mp4(line, tmp_path):
    path = tmp_path / "line.mp4"
    line.save_animation(path, dpi=41)
    assert path.read_bytes()[4:8] == b"ftyp"


def test_mp4_without_ffmpeg(line, tmp_path, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", "no-such-program")
    with pytest.raises(RuntimeError, match=r"needs the program ffmpeg.*\.gif"):
        line.save_animation(tmp_path / "line.mp4")


@pytest.mark.parametrize("reads", ["cat > /dev/null", ""])
def test_mp4_with_an_ffmpeg_that_fails(line, tmp_path, monkeypatch, reads):
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{reads}\necho 'Unknown encoder' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", str(program))
    with pytest.raises(RuntimeError, match=r"could not write line.mp4: Unknown encoder"):
        line.save_animation(tmp_path / "line.mp4", dpi=20)
    assert [entry.name for entry in tmp_path.iterdir()] == ["ffmpeg"]


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("line.avi", {}, ValueError, r"\.gif or \.mp4; got 'line.avi'"),
        ("no/line.gif", {}, FileNotFoundError, "does not exist"),
        ("line.gif", {"fps": 0}, ValueError, "`fps`"),
        ("line.gif", {"fps": "fast"}, ValueError, "`fps`"),
        ("line.gif", {"dpi": 0}, ValueError, "`dpi`"),
        ("line.gif", {"dpi": 72.5}, ValueError, "`dpi`"),
    ],
)
def test_refuses(line, tmp_path, name, arguments, error, message):
    with pytest.raises(error, match=message):
        line.save_animation(tmp_path / name, **arguments)


def test_a_single_time_does_not_move(tmp_path):
    display = SnapshotDisplay(y_true=[[1, 2]], y_pred=[[1, 2]], times=[0], points=[0, 1])
    with pytest.raises(ValueError, match="at least two times"):
        display.save_animation(tmp_path / "still.gif")
