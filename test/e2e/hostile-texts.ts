/**
 * 200 texts that mean harm to whoever shows them. What gets to run counts itself in `window.pwned`. Half surrogate pairs
 * are not among them: the store refuses them.
 */

const attack = 'window.pwned=(window.pwned||0)+1'
const long = (text: string, times: number): string => text.repeat(times)

const markup = [
  `<script>${attack}</script>`,
  `<SCRIPT SRC=data:text/javascript,${attack}></SCRIPT>`,
  `<img src=x onerror="${attack}">`,
  `<svg/onload=${attack}>`,
  `<svg><animate onbegin=${attack} attributeName=x dur=1s>`,
  `<iframe srcdoc="<script>parent.${attack}</script>"></iframe>`,
  `<iframe src="javascript:parent.${attack}"></iframe>`,
  `<object data="data:text/html,<script>opener.${attack}</script>"></object>`,
  `<a href="javascript:${attack}" autofocus onfocus="${attack}">a link</a>`,
  `<form action="javascript:${attack}"><button autofocus onfocus=${attack}>send</button></form>`,
  `<details open ontoggle=${attack}><summary>more</summary></details>`,
  `<math><mtext><table><mglyph><style><img src=x onerror=${attack}>`,
  `<base href="https://evil.example/"><link rel=stylesheet href=//evil.example/a.css>`,
  `<meta http-equiv=refresh content="0;url=javascript:${attack}">`,
  `<style>*{display:none!important}</style>`,
  `<div style="position:fixed;inset:0;background:red;z-index:99999">covered</div>`,
  `</textarea></title></style></script>--><script>${attack}</script>`,
  `"><script>${attack}</script><x y="`,
  `' onmouseover='${attack}' x='`,
  `<![CDATA[<img src=x onerror=${attack}>]]>`,
]
const otherLanguages = [
  `[a link](javascript:${attack}) ![a picture](https://evil.example/x.png)`,
  `javascript:${attack}//`,
  `{{constructor.constructor('${attack}')()}} \${${attack}} #{${attack}} <%= ${attack} %>`,
  `{@html '<img src=x onerror=${attack}>'} {#if ${attack}}{/if}`,
  `=HYPERLINK("https://evil.example","open") +cmd|' /C calc'!A0 @SUM(1)`,
  `$(${attack}); \`reboot\` && rm -rf / | tee "x" 'y'`,
  `'; drop table runs; -- %_%`,
  `__proto__ constructor toString hasOwnProperty`,
  `../../../../etc/passwd%00 C:\\..\\..\\ file:///etc/passwd`,
  `#/runs/finished?tab=arms&arm=%3Cscript%3E %E0%A4%A %`,
]
const signs = [
  '\u001b[31mred\u001b[0m \u001b]0;a title\u0007 \u001b[2J\u001b[10A',
  'user \u202egpj.exe\u202c \u2066\u2067\u2068 \u200f\u200e \u061c',
  'zero\u200bwidth\ufeff\u2060\u00ad \u{e0001}\u{e0041}',
  'null\u0000and\u0001\u0008\u007f\u009b31m',
  `Z${long('\u0335\u0353\u0349\u0311', 300)}`,
  `${long('\ufdfd', 60)} ${long('\u{12031}', 60)}`,
  `line\u2028line\u2029line\u0085line\r\nline\rline`,
  `\ud83d\udc69\u200d\ud83d\udc69\u200d\ud83d\udc67 \ufffd \ue000 \uffff \u{10ffff}`,
  long('W', 4_000),
  long('\t\n', 2_000),
]

/** Each alone, and in company that might hide it from a filter. */
const dressings: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `\u202e${text}\u202c`,
  (text) => `${text.slice(0, 3)}\u0000${text.slice(3)} ${text}`,
  (text) => `**${text}**\n\n\`\`\`html\n${text}\n\`\`\``,
  (text) => `${'x'.repeat(300)}${text}`,
]

export const hostileTexts: readonly string[] = dressings.flatMap((dress) =>
  [...markup, ...otherLanguages, ...signs].map(dress),
)

/** One line of a megabyte, without a place to break it. */
export const megabyteLine = `${markup[2]}${long('m', 1_000_000)}`
