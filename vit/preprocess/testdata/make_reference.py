"""Makes this folder's images and, with Pillow (13.0.0), what Spotlighter must
read from them: NAME.ref.png is convert("RGB"), NAME.crop.png that image after
resizing its shorter side to 32 (bicubic) and cutting the middle square, NAME.upright.png
the image turned as its EXIF data say."""
import pathlib

import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(1)
y, x = np.mgrid[0:45, 0:61]
waves = np.stack([128 + 100 * np.sin(x / 9 + y / 17), 128 + 100 * np.cos(x / 5), (x * 3 + y * 2) % 256], -1)
rgb = Image.fromarray((waves + rng.normal(0, 5, waves.shape)).clip(0, 255).astype(np.uint8))
rgba = rgb.copy()
rgba.putalpha(Image.fromarray(((x * 5) % 256).astype(np.uint8)))
palette = rgb.quantize(20)

rgb.save("444.jpg", quality=90, subsampling=0)
rgb.save("422.jpg", quality=90, subsampling=1)
rgb.save("420.jpg", quality=85, subsampling=2)
rgb.save("progressive.jpg", quality=85, progressive=True)
rgb.crop((0, 0, 3, 5)).save("narrow.jpg", subsampling=2)
rgb.convert("L").save("gray.jpg")
rgb.convert("CMYK").save("cmyk.jpg")
rgba.save("alpha.png")
rgba.convert("LA").save("grayalpha.png")
palette.save("palette.png", transparency=3)
palette.save("palette.gif", transparency=3)
rgb.convert("1").save("bits.png")
Image.fromarray(waves[..., 0].astype(np.uint16) * 3).save("gray16.png")
rgb.save("rgb.bmp")
rgb.save("rgb.tif", compression="tiff_lzw")
rgb.save("lossy.webp", quality=80)
rgba.save("lossless.webp", lossless=True, exact=True)
rgb.convert("CMYK").save("cmyk.tif", compression="tiff_lzw")
rgb.convert("CMYK").save("cmyk_raw.tif")
gif = bytearray(pathlib.Path("palette.gif").read_bytes())  # the frame, moved by (3, 5), in a canvas of 70 x 60
gif[6:10] = bytes([70, 0, 60, 0])
frame = gif.index(b"\x2c\0\0\0\0\x3d")
gif[frame + 1:frame + 5] = bytes([3, 0, 5, 0])
pathlib.Path("frame.gif").write_bytes(gif)
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    name = f"turned{orientation}." + ("png" if orientation % 4 == 2 else "webp" if orientation % 4 == 3 else "jpg")
    rgb.save(name, exif=exif, quality=90, lossless=True)
    ImageOps.exif_transpose(Image.open(name)).convert("RGB").save(name + ".upright.png")

for name in ("444.jpg 422.jpg 420.jpg progressive.jpg narrow.jpg gray.jpg cmyk.jpg alpha.png grayalpha.png palette.png "
             "palette.gif frame.gif cmyk.tif cmyk_raw.tif bits.png gray16.png rgb.bmp rgb.tif lossy.webp lossless.webp").split():
    image = Image.open(name).convert("RGB")
    image.save(name + ".ref.png")
    w, h = image.size
    w, h = (32, 32 * h // w) if w <= h else (32 * w // h, 32)
    image = image.resize((w, h), Image.BICUBIC)
    left, top = round((w - 32) / 2), round((h - 32) / 2)
    image.crop((left, top, left + 32, top + 32)).save(name + ".crop.png")
