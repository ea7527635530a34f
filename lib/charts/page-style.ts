/**
 * The report's style sheet: one column on a phone, two on a desk, light or dark as the reader's system is.
 */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --text: #1c2430; --muted: #5d6878; --line: #e1e5ea;
  --accent: #2563c9; --on-accent: #ffffff;
  --series-0: #2563c9; --series-1: #d9621e; --series-2: #178a63; --series-3: #9a3fb5;
  --series-4: #b58900; --series-5: #c2334d; --right: #14794f; --wrong: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --panel: #1b2129; --text: #e6eaf0; --muted: #9aa6b5; --line: #2c343f;
    --accent: #6aa2ff; --on-accent: #0b1017;
    --series-0: #6aa2ff; --series-1: #ff9a5c; --series-2: #4fcf9f; --series-3: #cf8be6;
    --series-4: #e0b93f; --series-5: #ff7f93; --right: #5fd3a4; --wrong: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1120px; padding: 1.5rem 1rem 4rem;
  background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.75rem; }
h3 { font-size: 1rem; margin: 0 0 0.5rem; }
p { margin: 0.25rem 0 0.75rem; }
.muted { color: var(--muted); }
.wide { overflow-x: auto; }
.panels {
  display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
}
.panel {
  background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; min-width: 0;
}
svg { display: block; width: 100%; height: auto; }
.matrix svg { max-width: 760px; }
.small { font-size: 0.8rem; white-space: normal; }
.legend > span { margin-right: 1.25rem; white-space: nowrap; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td {
  padding: 0.4rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
}
th { color: var(--muted); font-weight: 600; font-size: 0.875rem; }
th:first-child, td:first-child, .text { text-align: left; }
.dot { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 50%; margin-right: 0.5em; }
.section { margin: 1.75rem 0 0.5rem; }
h4 { font-size: 0.95rem; margin: 1.25rem 0 0.5rem; }
.swatch {
  display: inline-block; width: 0.9em; height: 0.9em; border-radius: 3px; margin-right: 0.4em;
  border: 1px solid var(--line); vertical-align: -0.1em;
}
.right { color: var(--right); }
.wrong { color: var(--wrong); }
figure { margin: 0; }
figure img, .boxes { width: 100%; display: block; border-radius: 6px; }
.boxes rect { stroke-width: 2; }
.boxes text {
  font-size: 12px; font-weight: 600; stroke-width: 4; stroke-linejoin: round; paint-order: stroke;
}
figcaption { font-size: 0.8rem; color: var(--muted); text-align: center; margin-top: 0.25rem; }
.samples { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); }
.pairs {
  display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr));
}
.views { display: grid; gap: 0.4rem; grid-auto-flow: column; grid-auto-columns: 1fr; }
.views { font-size: 0.8rem; text-align: center; }
td .small { min-width: 11rem; }
@media (max-width: 560px) {
  body { padding: 0.75rem 0.75rem 3rem; }
  .panel { padding: 0.75rem; }
  th, td { padding: 0.35rem 0.35rem; font-size: 0.875rem; }
  th:first-child, td:first-child { padding-left: 0; }
}
details { margin-top: 0.75rem; }
summary { cursor: pointer; color: var(--muted); }
`
