/**
 * The way in. A link ends in a code behind `#`, which browsers keep to themselves: no log and no server on the way sees
 * it. The page at `/enter` takes it out of the address bar and the history, and spends it for a session.
 */
export const enterPath = '/enter'
export const enterScriptPath = '/enter.js'
export const sessionPath = '/session'
/** Of the header that carries the code. */
export const codeScheme = 'Selkie '

const howToEnter =
  'Press Enter in the terminal in which <code>selkie serve</code> runs: it prints a new link, which works once.'

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <link rel="icon" href="data:," />
    <title>${title}</title>
    <style>
      :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
      main { max-width: 34rem; margin: 18vh auto; padding: 0 1.5rem; }
      h1 { font-size: 1.25rem; }
    </style>
  </head>
  <body>
    <main>${body}</main>
  </body>
</html>
`

export const enterPage = page(
  'Selkie',
  `<p id="opening">Opening Selkie …</p>
      <div id="refused" hidden><h1>This link does not work any more</h1><p>${howToEnter}</p></div>
      <script type="module" src="${enterScriptPath}"></script>`,
)

export const enterScript = `const code = location.hash.slice(1)
history.replaceState(null, '', '${enterPath}')
const headers = { Authorization: '${codeScheme}' + code }
const answer = await fetch('${sessionPath}', { method: 'POST', headers }).catch(() => null)
if (answer?.ok) location.replace('/')
document.getElementById('opening').hidden = true
document.getElementById('refused').hidden = answer?.ok ?? false
`

export const signedOutPage = page(
  'Selkie: not signed in',
  `<h1>This browser is not signed in</h1>
      <p>Selkie shows its pages only to who has opened the link that it printed. ${howToEnter}</p>`,
)
