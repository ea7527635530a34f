/** A page that needs nothing but itself. */
import { escapeHtml } from "./html.ts"
import { pageStyle } from "./page-style.ts"

/** `body` follows the heading, which is the title. */
export const htmlPage = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
</body>
</html>
`
