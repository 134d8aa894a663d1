/** The clothes of every page that is written: the inspection of a run, the report of sweeps, the page of the demo. */
export const STYLE_SHEET = `
:root {
  color-scheme: light dark;
  --paper: #f4f5f2; --card: #ffffff; --well: #eaece7; --ink: #1f2328; --muted: #575f66; --line: #d5d9d3;
  --link: #0b57c2; --right: #1a7f37; --right-soft: #a9dcb8; --wrong: #b93a15; --wrong-soft: #f3bda9; --hand: #7a3fb0; --learned: #0b62d6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101214; --card: #191c1f; --well: #262a2e; --ink: #eceeea; --muted: #a3abb1; --line: #343a3f;
    --link: #7db4ff; --right: #63c793; --right-soft: #1d4a31; --wrong: #ff8a66; --wrong-soft: #5c2819; --hand: #c09af2; --learned: #6cabff;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0 auto; padding: clamp(1rem, 3vw, 2.5rem); max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 400 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4 { line-height: 1.2; text-wrap: balance; margin: 2.25rem 0 0.6rem; }
h1 { font-size: clamp(1.35rem, 1rem + 2vw, 2rem); margin-top: 0; }
h2 { font-size: 1.3rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; } h4 { font-size: 1rem; margin-top: 1.25rem; }
p { margin: 0.5rem 0; max-width: 48rem; }
a { color: var(--link); }
.answer { font-size: clamp(1.1rem, 1rem + 0.7vw, 1.4rem); line-height: 1.4; margin: 0.75rem 0 1rem; }
.quiet, .note { color: var(--muted); font-size: 0.9rem; }
.warn { padding: 0.7rem 1rem; border-left: 4px solid var(--wrong); background: var(--card); border-radius: 0 6px 6px 0; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; list-style: none; padding: 0; margin: 1rem 0; }
nav a { display: inline-block; padding: 0.2rem 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
pre, code { font: 0.875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--well); border-radius: 4px; }
pre { padding: 0.8rem 1rem; overflow-x: auto; } code { padding: 0.1rem 0.3rem; }
dt { font-weight: 600; margin-top: 0.8rem; } dd { margin-left: 0; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: 0.9rem; }

.wide { overflow-x: auto; margin: 1rem 0; max-width: 100%; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.6rem; text-align: right; white-space: nowrap; }
.words-1 :is(th, td):nth-child(-n+1), .words-2 :is(th, td):nth-child(-n+2), .words-3 :is(th, td):nth-child(-n+3),
.words-4 :is(th, td):nth-child(-n+4), .words-6 :is(th, td):nth-child(-n+6) { text-align: left; }
.words-3 td:nth-child(2) { white-space: normal; min-width: 14rem; }
thead th { border-bottom: 2px solid var(--ink); }
tr.first td { border-top: 1px solid var(--line); }
td:first-child { font-weight: 600; }

.figure { margin: 1.25rem 0; padding: clamp(0.6rem, 2vw, 1.1rem); background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.figure.narrow { max-width: 44rem; }
.figure > figcaption { margin: 0 0 0.75rem; font-weight: 600; }
.figure svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; list-style: none; padding: 0; margin: 0 0 0.75rem; font-size: 0.9rem; }
.legend svg { display: inline-block; width: 1.6rem; height: 0.9rem; vertical-align: -0.1rem; margin-right: 0.3rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16.5rem), 1fr)); gap: 0.75rem 1.25rem; }
.panels.one { grid-template-columns: minmax(0, 42rem); }
.panels p { margin: 0; font-size: 0.9rem; font-weight: 600; line-height: 1.3; }
.panels .strong { font-weight: 800; }
.bars { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.45rem; font-size: 0.92rem; }
.bars li { display: grid; grid-template-columns: minmax(6rem, 17rem) minmax(0, 1fr) 4.6rem; gap: 0.2rem 0.8rem; align-items: center; }
.bars .value { font-weight: 600; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.track { position: relative; height: 1.1rem; background: var(--well); border-radius: 3px; }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 3px; background: var(--learned); }
.track i.hand { background: var(--hand); } .track i.loss { background: var(--wrong); } .track i.plain { background: var(--muted); }
.track b { position: absolute; top: 50%; height: 3px; margin-top: -1.5px; background: var(--ink); }
.track u { position: absolute; top: -2px; bottom: -2px; width: 1px; background: var(--muted); }

.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1rem 0.9rem; list-style: none; padding: 0; margin: 1rem 0; }
.picture { margin: 0; min-width: 0; }
.photo { display: block; width: 100%; aspect-ratio: 1; border-radius: 8px; border: 1px solid var(--line);
  background: #fff center/contain no-repeat; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.photo.none { display: grid; place-items: center; background: var(--well); color: var(--muted); font-size: 0.8rem; text-align: center; padding: 0.5rem; }
.picture figcaption { font-size: 0.86rem; line-height: 1.35; margin-top: 0.35rem; }
.picture small { display: block; color: var(--muted); font-size: 0.78rem; }
.is { font-weight: 600; } .right { color: var(--right); font-weight: 600; } .wrong { color: var(--wrong); font-weight: 600; } .hand { color: var(--hand); }
.group { padding: 0.9rem; margin: 0.9rem 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.group > :is(p, h3) { margin-top: 0; } .group .pictures { margin: 0.5rem 0 0; }
.badge { display: inline-block; padding: 0.05rem 0.5rem; margin-right: 0.3rem; border-radius: 99px; background: var(--wrong-soft); color: var(--ink); font-size: 0.82rem; font-weight: 600; }
.badge.plain { background: var(--well); }

.matrix { border-collapse: separate; border-spacing: 2px; font-size: 0.82rem; }
.matrix th { border: 0; font-weight: 450; padding: 0 0.35rem 0 0; max-width: 11rem; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th { height: 7rem; vertical-align: bottom; padding: 0 0 0.3rem; }
.matrix thead span { display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg); max-height: 6.7rem; overflow: hidden; }
.matrix tbody th { position: sticky; left: 0; background: var(--paper); text-align: right; }
.matrix td { padding: 0; text-align: center; background: var(--well); border-radius: 4px; min-width: 2.1rem; height: 2.1rem; font-weight: 400; }
.matrix thead td { background: none; }
.matrix button { width: 100%; height: 2.1rem; border-radius: 4px; border: 0; font: inherit; color: var(--ink); cursor: pointer; padding: 0 0.25rem;
  background: color-mix(in oklab, var(--wrong-soft) calc(var(--share) * 100%), var(--well)); }
.matrix .hit button { background: color-mix(in oklab, var(--right-soft) calc(var(--share) * 100%), var(--well)); font-weight: 600; }
.matrix button:hover, .pairs button:hover { outline: 2px solid var(--ink); }
.pairs { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.5rem; }
.pairs button, .close { font: inherit; font-size: 0.9rem; padding: 0.35rem 0.75rem; border-radius: 99px; border: 1px solid var(--line); background: var(--card); color: var(--ink); cursor: pointer; }
[popover] { position: fixed; inset: auto 0 0 0; margin: 0 auto; width: min(60rem, 100%); max-height: 75vh; overflow: auto; padding: 1rem clamp(1rem, 3vw, 1.75rem) 1.5rem;
  border: 1px solid var(--line); border-bottom: 0; border-radius: 14px 14px 0 0; background: var(--card); color: var(--ink); }
[popover]::backdrop { background: rgb(0 0 0 / 45%); }
@supports not selector(:popover-open) { [popover] { position: static; width: auto; max-height: none; margin: 1rem 0; border-bottom: 1px solid var(--line); border-radius: 10px; } }
[popover] h3 { margin: 0 0 0.25rem; } .close { float: right; margin-left: 1rem; }
.map { position: relative; }
.spot { position: absolute; width: clamp(1.7rem, 6vw, 3.2rem); aspect-ratio: 1; transform: translate(-50%, -50%); border: 2px solid var(--right); border-radius: 6px; background: #fff center/cover no-repeat; }
.spot.miss { border-color: var(--wrong); }
.place { position: absolute; transform: translate(-50%, -50%); padding: 0 0.35rem; border-radius: 4px; background: color-mix(in srgb, var(--card) 80%, transparent); font-weight: 650; font-size: clamp(0.75rem, 2.4vw, 0.95rem); line-height: 1.3; white-space: nowrap; pointer-events: none; }
@media (max-width: 34rem) {
  .bars li { grid-template-columns: minmax(0, 1fr) auto; } .bars .track { grid-row: 2; grid-column: 1 / -1; }
  .pictures { grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); gap: 0.9rem 0.7rem; }
  h2 { font-size: 1.2rem; }
  th, td { padding: 0.25rem 0.4rem; }
  .wide :is(.words-1, .words-2, .words-3) td:nth-child(1) { white-space: normal; min-width: 5rem; max-width: 6.5rem; }
  .wide :is(.words-2, .words-3) td:nth-child(2) { white-space: normal; min-width: 5.5rem; max-width: 9rem; }
}
@media print { body { max-width: none; } .figure, .group, .picture { break-inside: avoid; } }
`

/** Colours that figures are drawn in, on white, and what the sheet makes of them in the dark. */
const IN_THE_DARK: Readonly<Record<string, string>> = {
  '#ffffff': 'var(--card)',
  '#1f2328': 'var(--ink)',
  '#6e7781': 'var(--muted)',
  '#e4e7eb': 'var(--line)',
  '#0b62d6': '#6cabff',
  '#d4530c': '#ff9257',
  '#7a3fb0': '#c09af2',
  '#a8b0b9': '#767f87',
  '#1a7f37': '#63c793',
  '#0a7ea4': '#4cc0e6',
  '#b62324': '#ff7b72',
  '#9a6700': '#d9a62e',
  '#bf3989': '#f07fbe',
  '#4d7c0f': '#9bcb4a',
  '#57606a': '#a3abb1',
  '#8250df': '#b8a2ff',
  '#c2410c': '#ff8f66',
  '#0e7490': '#4fc3dd',
}

/** A figure keeps its plain colours in a file; in a page they follow the page. */
export const FIGURE_SHEET = `@media (prefers-color-scheme: dark) {
${Object.entries(IN_THE_DARK)
  .flatMap(([light, dark]) =>
    ['fill', 'stroke'].map((kind) => `.figure svg [${kind}="${light}"] { ${kind}: ${dark}; }`),
  )
  .join('\n')}
.figure svg { fill: var(--ink); }
}
`
