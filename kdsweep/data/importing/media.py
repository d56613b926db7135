"""Folders of images, of sounds and of videos as arrays, each decoded when it is asked for.

An id is the file's path inside the folder, without its suffix.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SUFFIXES = {
    "images": (".png", ".jpg", ".jpeg", ".bmp"),
    "sounds": (".wav", ".flac", ".ogg"),
    "videos": (".mp4", ".avi", ".mkv", ".mov", ".webm"),
}
# Seconds of sound in one frame of a spectrogram, and from one frame to the next.
WINDOW, HOP = 0.025, 0.010
# Of the frames that a video's header tells of, the share below which it was cut off.
WHOLE = 0.9


class Recipe(NamedTuple):
    """What becomes of a file.

    Attributes:
        size: edge in pixels to which images and frames are resized; None leaves them.
        mels: bins of a sound's spectrogram.
        frames: of a video, the middles of as many equal stretches of it.
    """

    size: int | None = None
    mels: int = 64
    frames: int = 16


PLAIN = Recipe()


@dataclass(frozen=True)
class Decoded:
    """Arrays that are made when they are asked for, so that one at a time is in memory."""

    length: int
    make: Callable[[int], Array]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Array:
        return self.make(number)


def folder(path: Path, recipe: Recipe) -> tuple[list[str], Decoded]:
    """Ids and arrays of a folder's files.

    Images are [channels, H, W] and videos [frames, 3, H, W], in [-1, 1]; sounds are log-mel spectrograms
    [mels, frames], the shorter ones followed by silence.

    Raises:
        ValueError: it holds none of them, or several kinds, or a file that cannot be read; names the file.
    """
    known = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in known)
    suffixes = {file.suffix.lower() for file in files}
    if len({known[suffix] for suffix in suffixes}) != 1:
        kinds = ", ".join(f"of {kind} ({', '.join(known)})" for kind, known in SUFFIXES.items())
        raise ValueError(f"{path}: a folder is one {kinds}, got {', '.join(sorted(suffixes)) or 'none'}")
    ids = [file.relative_to(path).with_suffix("").as_posix() for file in files]
    for file, id_ in zip(files, ids, strict=True):
        try:
            id_.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{path}: an id is UTF-8 text, got the file name {str(file.name)!a}") from error
    kind = known[files[0].suffix.lower()]
    if kind == "sounds":
        return ids, sounds(files, recipe.mels)
    if kind == "images":
        return ids, Decoded(len(files), lambda number: image(files[number], recipe.size, where=str(files[number])))
    return ids, Decoded(len(files), lambda number: video(files[number], recipe))


def holds_sounds(path: Path) -> bool:
    """Whether a folder's files are sounds."""
    return any(file.suffix.lower() in SUFFIXES["sounds"] for file in path.rglob("*"))


def image(file: Path | io.BytesIO, size: int | None, *, where: str) -> Array:
    """Pixels [channels, H, W] in [-1, 1].

    Raises:
        ValueError: Pillow is missing, or the image is damaged.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ValueError(f"{where}: reading images needs Pillow: pip install 'kdsweep[images]'") from error
    try:
        with Image.open(file) as opened:
            shown = opened.convert("L" if opened.mode in ("1", "L", "I;16") else "RGB")
            pixels = np.asarray(shown.resize((size, size)) if size else shown, np.float32) / 127.5 - 1
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"{where}: the image is damaged: {error}") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def sounds(files: Sequence[Path | io.BytesIO], mels: int, names: Sequence[str] | None = None) -> Decoded:
    """Spectrograms [mels, frames] of as many frames as the longest sound has.

    Raises:
        ValueError: soundfile is missing, a sound is damaged, or their sampling rates differ.
    """
    names = names or [str(file) for file in files]
    try:
        import soundfile
    except ImportError as error:
        raise ValueError(f"{names[0]}: reading sounds needs soundfile: pip install 'kdsweep[sounds]'") from error
    rates: dict[int, str] = {}
    longest = 0

    def damaged(number: int, error: object) -> ValueError:
        return ValueError(f"{names[number]}: the sound is damaged, or none: {error}")

    for number, file in enumerate(files):
        try:
            # Headers alone: what is decoded is decoded once.
            about = soundfile.info(file)
        except (soundfile.SoundFileError, OSError) as error:
            raise damaged(number, error) from error
        rates.setdefault(about.samplerate, names[number])
        longest = max(longest, about.frames)
    if len(rates) > 1:
        found = ", ".join(f"{rate} in {name}" for rate, name in rates.items())
        raise ValueError(f"sounds of one modality have one sampling rate, got {found}")
    rate = next(iter(rates))

    def make(number: int) -> Array:
        file = files[number]
        if isinstance(file, io.BytesIO):
            file.seek(0)
        try:
            wave, _ = soundfile.read(file, dtype="float64", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise damaged(number, error) from error
        if not len(wave):
            raise damaged(number, "it holds no sample")
        return log_mel(np.pad(wave.mean(1), (0, max(0, longest - len(wave)))), rate, mels)

    return Decoded(len(files), make)


def video(file: Path, recipe: Recipe) -> Array:
    """Frames [frames, 3, H, W] in [-1, 1], in the middles of as many equal stretches.

    Raises:
        ValueError: PyAV is missing, or the video is damaged.
    """
    try:
        import av
    except ImportError as error:
        raise ValueError(f"{file}: reading videos needs PyAV: pip install 'kdsweep[videos]'") from error
    try:
        with av.open(str(file)) as container:
            told = container.streams.video[0].frames
            # Headers often do not tell, or are a frame or two off: packets are counted, which decodes nothing.
            count = sum(packet.pts is not None for packet in container.demux(video=0))
        wanted = ((np.arange(recipe.frames) + 0.5) * count / recipe.frames).astype(int)
        shown: list[Array] = []
        with av.open(str(file)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                # A short video shows a frame more than once.
                if times := int((wanted == number).sum()):
                    edge = {"width": recipe.size, "height": recipe.size} if recipe.size else {}
                    shown += [frame.reformat(format="rgb24", **edge).to_ndarray()] * times
                if len(shown) == recipe.frames:
                    break
    except (av.FFmpegError, IndexError, OSError) as error:
        raise ValueError(f"{file}: the video is damaged, or none: {error}") from error
    if len(shown) < recipe.frames or count < WHOLE * told:
        raise ValueError(f"{file}: the video is damaged: it should hold {max(count, told)} frames, and breaks off")
    return np.stack(shown).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1


def log_mel(wave: Array, rate: int, mels: int) -> Array:
    """log(10⁻⁶ + mel-weighted power) of Hann windows of 25 ms every 10 ms: [mels, frames] float32."""
    window, hop = round(WINDOW * rate), round(HOP * rate)
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    found: Array = np.log(1e-6 + power @ triangles(rate, window, mels)).T.astype(np.float32)
    return found


def triangles(rate: int, window: int, mels: int) -> Array:
    """Overlapping triangles of equal width on the mel scale, 2595 log₁₀(1 + f/700): [window // 2 + 1, mels]."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, mels + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(window, 1 / rate)[:, None]
    rising = (frequency - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequency) / (corners[2:] - corners[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)
