import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { ifThere } from '../../../node/files.ts'
import { squeeze } from './emoji.ts'
import type { Picture, PictureSet } from './types.ts'

/** Where Debian's `openclipart-svg` puts its drawings. */
const folder = '/usr/share/openclipart/svg'
/** Folders of letters, patterns, logos and interface parts: no things to recognise. */
const leftOutFolders = ['shapes', 'special', 'computer', 'logos', 'buttons']
const leftOutPaths = /flag|playing_?cards|cards\/|alphabet|letter/i
const largestFile = 600_000

/** Public-domain clip art, where the package is installed; an empty set elsewhere. */
export async function listClipart(): Promise<PictureSet> {
  const files = await svgFiles(folder)
  const pictures: Picture[] = []
  const seen = new Set<string>()
  for (const file of files) {
    const path = relative(folder, file)
    const top = path.split('/')[0] ?? ''
    if (leftOutFolders.includes(top) || leftOutPaths.test(path)) continue
    if ((await stat(file)).size > largestFile) continue
    const picture = clipartPicture(file, path, await readFile(file, 'utf8'))
    // The same drawing often comes by the same author under several numbers: one title and size is enough.
    if (picture === undefined || seen.has(picture.key)) continue
    seen.add(picture.key)
    pictures.push(picture.picture)
  }
  return { name: 'openclipart', pictures, leftOut: files.length - pictures.length }
}

async function svgFiles(directory: string): Promise<string[]> {
  const names = (await ifThere(directory, readdir(directory, { recursive: true }))) ?? []
  return names
    .filter((name) => name.endsWith('.svg'))
    .sort()
    .map((name) => join(directory, name))
}

function clipartPicture(file: string, path: string, text: string): { key: string; picture: Picture } | undefined {
  const work = /<cc:Work[\s\S]*?<\/cc:Work>/i.exec(text)?.[0] ?? ''
  const title = cleanTitle(/<dc:title>([^<]*)<\/dc:title>/.exec(work)?.[1] ?? '')
  const folders = path
    .split('/')
    .slice(0, -1)
    .map((part) => part.replaceAll('_', ' '))
  const words = [...work.matchAll(/<rdf:li>([^<]*)<\/rdf:li>/g)].map((match) => cleanTitle(match[1] ?? ''))
  const keywords = [...new Set([...words, ...folders])].filter((word) => word.length > 2 && word.length < 30)
  const label = title !== '' && title.length <= 40 ? title : (keywords[0] ?? '')
  if (label === '' || /^(unsorted|image|drawing|untitled)$/.test(label)) return undefined
  const picture: Picture = {
    id: `openclipart/${path}`,
    set: 'openclipart',
    style: 'clipart',
    group: 'clipart',
    concept: squeeze(label),
    label,
    keywords: keywords.filter((word) => word !== label && word !== 'unsorted'),
    subgroup: folders[0] === 'unsorted' ? '' : (folders[0] ?? ''),
    section: '',
    tones: [],
    palette: true,
    flippable: !/left|right/.test(label),
    source: { file },
  }
  return { key: `${label} ${text.length}`, picture }
}

/** Titles read `clipart by A. Author - pear`, `Pear 01`, `pear_a_author_01`. */
function cleanTitle(title: string): string {
  return title
    .replace(/^.*\bby\b.*? - /i, '')
    .replace(/\bclip ?art\b/gi, '')
    .replaceAll(/[_\d]+/g, ' ')
    .replaceAll(/[^\p{L}' -]/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .toLowerCase()
}
