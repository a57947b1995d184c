"""Drawing pictures to share, in the colours of a brand's accent: shapes of one kind, on a canvas of any size."""

import io
from typing import Self

import segno
from PIL import Image, ImageChops, ImageColor, ImageDraw

from referralhub.branding.lettering import can_write, font
from referralhub.services.brand.colours import mix
from referralhub.services.brand.palette import palette_of

QUIET = 4  # modules of white around a QR code, without which many readers do not find it
SMOOTHER = 3  # times as large are shapes drawn whose edges are to be smooth
WHITE, BLACK = "#ffffff", "#000000"

Place = tuple[int, int]


class Canvas:
    """A picture in the making, on a ground that goes from one colour to another.

    What the font lacks letters for is left out.
    """

    def __init__(self, size: Place, left: str, right: str, ink: str) -> None:
        self.size, self.left, self.right, self.ink = size, left, right, ink
        self.image = _gradient(left, right, size)
        self.pen = ImageDraw.Draw(self.image)

    @classmethod
    def branded(cls, size: Place, accent: str) -> Self:
        """Begin a picture in the colours of an accent."""
        palette = palette_of(accent)
        return cls(size, palette.start, palette.end, palette.on_fill)

    def soft(self, part: float) -> str:
        """Return the colour of text that is less important: so much nearer to the ground."""
        return mix(self.ink, self.left, part)

    def mark(self, place: Place, size: int) -> None:
        """Draw our mark, in a square that begins at a place."""
        unit = size * SMOOTHER / 72
        layer = Image.new("RGBA", (size * SMOOTHER, size * SMOOTHER))
        pen = ImageDraw.Draw(layer)
        centres = [(across * unit, down * unit) for across, down in ((24, 36), (48, 20), (48, 52))]
        pen.rounded_rectangle((0, 0, layer.width - 1, layer.height - 1), 18 * unit, fill=self.ink)
        for centre, colour in zip(centres[1:], (self.left, self.right), strict=True):
            pen.line((*centres[0], *centre), fill=colour, width=round(6 * unit))
        for centre in centres:
            pen.circle(centre, 9 * unit, fill=self.left)
        layer = layer.resize((size, size), Image.Resampling.BOX)
        self.image.paste(layer, place, layer)

    def write(
        self, place: Place, text: str, size: int, ink: str, anchor: str = "ls", *, room: int = 0, least: int = 0
    ) -> None:
        """Write a line in the room that there is: smaller, down to `least`, or else cut short."""
        if not can_write(text):
            return
        room = room or self.size[0] - 80 - place[0]
        if least:
            size = max(least, min(size, int(size * room / max(1, self.pen.textlength(text, font(size))))))
        while self.pen.textlength(text, font(size)) > room:
            text = text[:-2].rstrip(" …") + "…"
        self.pen.text(place, text, ink, font(size), anchor=anchor)

    def broken(self, text: str, size: int, room: int) -> list[str]:
        """Break a text into lines that fit, and where it says so itself."""
        lines: list[str] = []
        for each in text.splitlines():
            lines.append("")
            for word in each.split():
                longer = f"{lines[-1]} {word}".strip()
                if not lines[-1] or self.pen.textlength(longer, font(size)) <= room:
                    lines[-1] = longer
                else:
                    lines.append(word)
        return lines

    def code(self, place: Place, content: str, size: int) -> None:
        """Draw a QR code on a white card of about this size, centred at a place."""
        matrix = segno.make(content, error="m", micro=False).matrix
        width = len(matrix) + 2 * QUIET
        unit = size // width
        x, y = place[0] - unit * width // 2, place[1] - unit * width // 2
        self._card((x, y), unit * width, 3 * unit)
        for row, line in enumerate(matrix):
            for column, dark in enumerate(line):
                if dark:
                    left, top = x + (column + QUIET) * unit, y + (row + QUIET) * unit
                    self.pen.rectangle((left, top, left + unit - 1, top + unit - 1), fill=BLACK)

    def face(self, place: Place, avatar: bytes, size: int) -> None:
        """Draw a round avatar, which we wrote ourselves, in a square that begins at a place."""
        with Image.open(io.BytesIO(avatar)) as file:
            face = file.convert("RGBA").resize((size, size))
        circle = Image.new("L", (size * SMOOTHER, size * SMOOTHER))
        ImageDraw.Draw(circle).ellipse((0, 0, circle.width - 1, circle.height - 1), fill=255)
        mask = ImageChops.multiply(circle.resize((size, size), Image.Resampling.BOX), face.getchannel("A"))
        self.image.paste(face.convert("RGB"), place, mask)

    def _card(self, place: Place, size: int, corner: int) -> None:
        mask = Image.new("L", (size * SMOOTHER, size * SMOOTHER))
        box = (0, 0, mask.width - 1, mask.height - 1)
        ImageDraw.Draw(mask).rounded_rectangle(box, corner * SMOOTHER, fill=255)
        self.image.paste(WHITE, place, mask.resize((size, size), Image.Resampling.BOX))

    def png(self, dots: int = 72) -> bytes:
        """Return the picture as a file, to be printed with so many dots an inch."""
        out = io.BytesIO()
        self.image.save(out, "PNG", dpi=(dots, dots))
        return out.getvalue()


def _gradient(left: str, right: str, size: Place) -> Image.Image:
    line = Image.new("RGB", (size[0], 1))
    for x in range(size[0]):
        line.putpixel((x, 0), ImageColor.getrgb(mix(left, right, x / (size[0] - 1))))
    return line.resize(size)
