"""``codex-api images``: pictures drawn and changed, written to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.listing import print_json, print_text
from codex_api.cli.output_files import check_target, unwritable
from codex_api.types.images import DEFAULT_IMAGE_MODEL, ImageBackground, ImageQuality

if TYPE_CHECKING:
    from codex_api.types.images import ImageResponse

images_app: App = App(name="images", help="Draw and change images.", help_format="plaintext")

_Count = Annotated[int | None, Parameter(name=("--count", "-n"), help="How many images.")]
_Size = Annotated[str | None, Parameter(help="Such as 1024x1024, or auto.")]
_Output = Annotated[
    Path | None,
    Parameter(help="File to write; several are numbered. Default: image-TIME.png."),
]
_Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print one JSON object.")
]


@images_app.command
def generate(
    prompt: Annotated[str, Parameter(help="What to draw.", allow_leading_hyphen=True)],
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_IMAGE_MODEL,
    background: ImageBackground | None = None,
    quality: ImageQuality | None = None,
    size: _Size = None,
    count: _Count = None,
    output: _Output = None,
    json_object: _Json = False,
) -> None:
    """Draw images and print where they are."""
    check_target(output)
    with connection.client() as client:
        response = client.images.generate(
            prompt, model=model, background=background, n=count, quality=quality, size=size
        )
    _keep(response, output, json_object=json_object)


@images_app.command
def edit(
    prompt: Annotated[str, Parameter(help="What to change.", allow_leading_hyphen=True)],
    /,
    *,
    image: Annotated[tuple[str, ...], Parameter(help="File or URL; may be repeated.", negative="")],
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_IMAGE_MODEL,
    background: ImageBackground | None = None,
    quality: ImageQuality | None = None,
    size: _Size = None,
    count: _Count = None,
    output: _Output = None,
    json_object: _Json = False,
) -> None:
    """Change images and print where the new ones are."""
    check_target(output)
    with connection.client() as client:
        response = client.images.edit(
            image, prompt, model=model, background=background, n=count, quality=quality, size=size
        )
    _keep(response, output, json_object=json_object)


def _keep(response: ImageResponse, output: Path | None, *, json_object: bool) -> None:
    target = output or Path(f"image-{response.created}.{response.output_format or 'png'}")
    try:
        paths = response.save(target)
    except OSError as exc:
        raise unwritable(target, exc) from None
    if json_object:
        shown = {"created": response.created, "paths": [str(path) for path in paths]}
        print_json({**shown, "size": response.size, "usage": response.usage})
        return
    for path in paths:
        print_text(str(path))
