import { type Audience, installed, type Package } from './packages.ts'

/** Licences that ask for no more than that their text and the names of the authors are kept. */
const ALLOWED = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

/** Other licences that are allowed for some packages, and why. */
interface Exception {
  /** A name, or how it begins, with `*`. */
  readonly packages: string
  readonly licence: string
  /** Development only, where it is left out for users. */
  readonly users?: boolean
  readonly why: string
}

const LIBRARY = 'a library in a folder of its own, unchanged, which anybody can replace'
const TOOL = 'a tool of development; nothing of it is passed on'
const DRAWINGS = 'drawings, whose authors NOTICE names'

export const EXCEPTIONS: readonly Exception[] = [
  { packages: 'libheif-js', licence: 'LGPL-3.0', users: true, why: LIBRARY },
  { packages: '@img/sharp-libvips-*', licence: 'LGPL-3.0-or-later', users: true, why: LIBRARY },
  { packages: '@img/sharp-win32-*', licence: 'LGPL-3.0-or-later', users: true, why: LIBRARY },
  { packages: '@img/sharp-wasm32', licence: 'LGPL-3.0-or-later', users: true, why: LIBRARY },
  { packages: 'axe-core', licence: 'MPL-2.0', why: TOOL },
  { packages: 'lightningcss*', licence: 'MPL-2.0', why: TOOL },
  { packages: '@iconify-json/*', licence: 'CC-BY-3.0', why: DRAWINGS },
  { packages: '@iconify-json/*', licence: 'CC-BY-4.0', why: DRAWINGS },
  { packages: '@iconify-json/*', licence: 'CC-BY-SA-4.0', why: DRAWINGS },
]

/** Packages with other people's drawings and words, each of which NOTICE names. */
const ART = /^@iconify-json\/|^@lobehub\/|^emoji(base-data|lib)$/

/** What is wrong with the licences of packages, or with what NOTICE says of them; a line each. */
export function licenceFaults(packages: readonly Package[], notice: string): string[] {
  const used = new Set<Exception>()
  return [
    ...packages.flatMap((one) => licenceFault(one, used) ?? []),
    ...unused(used),
    ...noticeFaults(packages, notice),
  ]
}

function licenceFault(one: Package, used: Set<Exception>): string | undefined {
  const { name, version, licence, audience } = one
  const what = `${name} ${version}`
  if (!licence) return `${what} states no licence`
  const there = installed(one)
  if (there !== undefined && (there.version !== version || there.license !== licence))
    return `${what} (${licence}) in package-lock.json is ${there.version} (${there.license}) in node_modules: run npm ci`
  const isAllowed = (id: string) => {
    const exception = EXCEPTIONS.find(
      ({ packages, licence, users = false }) =>
        licence === id && matches(packages, name) && (users || audience === 'development'),
    )
    if (exception) used.add(exception)
    return exception !== undefined || ALLOWED.includes(id)
  }
  return satisfies(licence, isAllowed) ? undefined : `${what} is under ${licence}, which is not among the allowed`
}

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern

const unused = (used: ReadonlySet<Exception>): string[] =>
  EXCEPTIONS.filter((exception) => !used.has(exception)).map(
    ({ packages, licence }) => `no package needs the exception of ${packages} (${licence})`,
  )

/** An expression of SPDX without parentheses inside: one part joined by OR must do, of which all joined by AND. */
function satisfies(expression: string, isAllowed: (id: string) => boolean): boolean {
  const alternatives = expression.replace(/^\((.*)\)$/, '$1').split(' OR ')
  return alternatives.some((alternative) => alternative.split(' AND ').every(isAllowed))
}

/** Heading of the list in NOTICE, by who gets the packages. */
const HEADINGS: readonly [Audience, string][] = [
  ['users', 'With coop-ts:'],
  ['pages', 'With onnxruntime-web, which pages need:'],
]
const WIDTH = 120

/** The list of NOTICE: what users get, by licence. */
export function noticeList(packages: readonly Package[]): string {
  const lists = HEADINGS.map(([audience, heading]) => {
    const theirs = packages.filter((one) => one.audience === audience)
    const licences = [...new Set(theirs.map(({ licence = '' }) => licence))].sort()
    const namesUnder = (licence: string) => [
      ...new Set(theirs.filter((one) => one.licence === licence).map(({ name }) => name)),
    ]
    return [heading, ...licences.map((licence) => wrapped(`${licence}: ${namesUnder(licence).join(', ')}`))].join('\n')
  })
  return `${lists.join('\n\n')}\n`
}

/** A line of words, broken and indented. */
function wrapped(text: string): string {
  const lines = ['  ']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)}${lines.at(-1)?.trim() && ' '}${word}`
    if (line.length <= WIDTH) lines[lines.length - 1] = line
    else lines.push(`    ${word}`)
  }
  return lines.join('\n')
}

function noticeFaults(packages: readonly Package[], notice: string): string[] {
  const list = noticeList(packages)
  const entries = noticeEntries(notice)
  const disagreeing = entries.flatMap(({ name, licence }) => {
    const found = packages.find((one) => one.name === name)?.licence
    if (found === licence) return []
    return `NOTICE has ${name} under ${licence}; ${found === undefined ? 'there is no such package' : `it is under ${found}`}`
  })
  const missing = packages.filter(({ name }) => ART.test(name) && !entries.some((entry) => entry.name === name))
  return [
    ...(notice.includes(list) ? [] : [`NOTICE must list what users get as follows:\n\n${list}`]),
    ...disagreeing,
    ...missing.map(({ name }) => `NOTICE does not name ${name}`),
  ]
}

/** Packages that NOTICE names in parentheses, below the line that ends with their licence. */
export function noticeEntries(notice: string): { readonly name: string; readonly licence: string }[] {
  const entries = notice.matchAll(/, ([^,\n]+)\n {2}\(([^)]+)\)$/gm)
  return Array.from(entries, ([, licence = '', names = '']) =>
    names.split(/,\s+/).map((name) => ({ name, licence: spdx(licence) })),
  ).flat()
}

/** `Apache License 2.0` and `CC BY-SA 4.0` as SPDX writes them. */
const spdx = (licence: string): string =>
  licence.replace(' (below)', '').replace('Apache License', 'Apache').replaceAll(' ', '-')
