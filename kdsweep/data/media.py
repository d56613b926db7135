"""Folders of images and of sounds as arrays. An id is the file's path inside the folder, without its suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
SOUNDS = (".wav",)
# Seconds of sound in one frame of a spectrogram, and from one frame to the next.
WINDOW, HOP = 0.025, 0.010


def folder(path: Path, *, size: int | None, mels: int) -> tuple[list[str], list[Array]]:
    """Ids and arrays of a folder's files: images [channels, H, W] in [-1, 1], or log-mel spectrograms [mels, frames].

    Raises:
        ValueError: it holds neither, or both, or a file that cannot be read; names the file.
    """
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (*IMAGES, *SOUNDS))
    suffixes = {file.suffix.lower() for file in files}
    if not files or (suffixes & set(IMAGES) and suffixes & set(SOUNDS)):
        kinds = f"images ({', '.join(IMAGES)}) or of sounds ({', '.join(SOUNDS)})"
        raise ValueError(f"{path}: a folder of {kinds}, got {', '.join(sorted(suffixes)) or 'none'}")
    ids = [str(file.relative_to(path).with_suffix("")) for file in files]
    return ids, _sounds(files, mels) if suffixes <= set(SOUNDS) else [_image(file, size) for file in files]


def _image(file: Path, size: int | None) -> Array:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ValueError(f"{file}: reading images needs Pillow: pip install 'kdsweep[images]'") from error
    try:
        with Image.open(file) as image:
            shown = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
            pixels = np.asarray(shown.resize((size, size)) if size else shown, np.float32) / 127.5 - 1
    except (OSError, UnidentifiedImageError) as error:
        raise ValueError(f"{file}: the image is damaged: {error}") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _sounds(files: list[Path], mels: int) -> list[Array]:
    from scipy.io import wavfile

    waves: list[Array] = []
    rates: dict[int, Path] = {}
    for file in files:
        try:
            rate, wave = wavfile.read(file)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{file}: the sound is damaged, or no wav: {error}") from error
        rates.setdefault(rate, file)
        full = np.abs(float(np.iinfo(wave.dtype).min)) if wave.dtype.kind == "i" else 1.0
        wave = wave.astype(np.float64) / full if wave.dtype.kind != "u" else wave / 127.5 - 1
        waves.append(wave.mean(1) if wave.ndim == 2 else wave)
    if len(rates) > 1:
        found = ", ".join(f"{rate} in {file}" for rate, file in rates.items())
        raise ValueError(f"sounds of one modality have one sampling rate, got {found}")
    longest = max(map(len, waves))
    # Silence behind a shorter sound.
    return [log_mel(np.pad(wave, (0, longest - len(wave))), next(iter(rates)), mels) for wave in waves]


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
