"""Chromium without a window, spoken to over a pipe: what it takes to measure a page as a reader's browser has it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


# Chromium reads at descriptor 3 and writes to 4.
PIPED = """
import fcntl, os, sys
there = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]]
os.dup2(there[0], 3)
os.dup2(there[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab, and the few words of the DevTools protocol that the tests need."""

    def __init__(self, *options: str) -> None:
        assert CHROMIUM is not None
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (self.ours_in, theirs_out), (theirs_in, self.ours_out) = os.pipe(), os.pipe()
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PIPED, str(theirs_in), str(theirs_out), *command,
             f"--user-data-dir={self.folder.name}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self.rest, self.count, self.session = b"", 0, ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours_in)
        os.close(self.ours_out)
        self.folder.cleanup()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command and its answer.

        Raises:
            RuntimeError: the browser refused it.
        """
        self.count += 1
        session = {"sessionId": self.session} if self.session else {}
        message = json.dumps({"id": self.count, "method": method, "params": params, **session})
        os.write(self.ours_out, message.encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path, *, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """A page in a screen of this size, after it was loaded."""
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="", features=[scheme])
        self.send("Page.navigate", url=f"file://{path}")
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def resize(self, width: int, height: int = 900) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited where it is a promise; its policy does not bind us."""
        told = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    def before_load(self, script: str) -> None:
        """Run this in every page before its own scripts."""
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def pdf(self) -> bytes:
        """The page as it is printed, on A4."""
        return base64.b64decode(self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69,
                                          preferCSSPageSize=True)["data"])  # fmt: skip

    def picture(self, *, whole: bool = False) -> bytes:
        """PNG of the screen, or of the whole page."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            got = os.read(self.ours_in, 1 << 20)
            if not got:
                raise RuntimeError("the browser has ended")
            self.rest += got
        message, _, self.rest = self.rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer
