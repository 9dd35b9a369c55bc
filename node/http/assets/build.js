// Builds node/http/static/build/: one stylesheet, one script, the icon and the manifest that names them.
// A name carries the hash of its bytes, so a tablet may keep a file for ever and never shows an old one.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "static", "build");
const modules = join(here, "..", "..", "..", "node_modules");

function styles() {
  const compiled = sass.compile(join(here, "app.scss"), {
    loadPaths: [modules],
    quietDeps: true,
  });
  const minified = esbuild.transformSync(withImages(compiled.css), { loader: "css", minify: true, target: "chrome90" });
  return Buffer.from(minified.code);
}

// The few icons that the patterns name stand in the stylesheet itself: nothing else is asked for.
function withImages(css) {
  const images = join(modules, "nhsuk-frontend", "dist", "nhsuk", "assets", "images");
  return css.replace(/url\("?\/assets\/images\/([a-z-]+\.svg)"?\)/g, (_, name) => {
    const bytes = readFileSync(join(images, name));
    return `url("data:image/svg+xml;base64,${bytes.toString("base64")}")`;
  });
}

function script() {
  const bundle = esbuild.buildSync({
    entryPoints: [join(here, "app.js")],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: "chrome90",
    legalComments: "none",
  });
  return Buffer.from(bundle.outputFiles[0].contents);
}

function hashed(name, bytes) {
  const [stem, ending] = name.split(".");
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  return `${stem}-${hash}.${ending}`;
}

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const files = { "app.css": styles(), "app.js": script(), "icon.svg": await readFile(join(here, "icon.svg")) };
const manifest = {};
for (const [name, bytes] of Object.entries(files)) {
  manifest[name] = hashed(name, bytes);
  await writeFile(join(target, manifest[name]), bytes);
  console.log(`${manifest[name]}  ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
}
await writeFile(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
