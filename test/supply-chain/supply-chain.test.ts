import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { licenceFaults } from './licences.ts'
import { type Package, packagesOf, ROOT, readLock, readManifest } from './packages.ts'

const lock = readLock()
const packages = packagesOf(lock)
const notice = readFileSync(join(ROOT, 'NOTICE'), 'utf8')

/** Folders with a package.json of ours. */
const projects = [
  '.',
  ...filesBelow('examples')
    .filter((file) => /(^|\/)package\.json$/.test(file))
    .map(dirname),
]

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll('\\', '/'))
}

const named = ({
  dependencies,
  devDependencies,
  optionalDependencies,
  peerDependencies,
}: ReturnType<typeof readManifest>) =>
  Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies })

describe('versions', () => {
  it.each(projects)('in package.json of %s are exact', (project) => {
    const ranges = named(readManifest(project)).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    expect(ranges).toEqual([])
  })

  it('are those of package-lock.json, which has them from the registry with a hash each', () => {
    const wrong = named(readManifest('.')).filter(
      ([name, version]) => lock.packages[`node_modules/${name}`]?.version !== version,
    )
    expect(wrong).toEqual([])
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = readManifest('.')
    expect(lock.packages['']).toMatchObject({ dependencies, devDependencies, optionalDependencies, peerDependencies })
    const unsealed = packages.filter(
      ({ integrity, resolved }) =>
        !integrity?.startsWith('sha512-') || (resolved && !/^https:\/\/.*\.tgz$/.test(resolved)),
    )
    expect(unsealed).toEqual([])
  })
})

it('no package runs a script when it is installed', () => {
  const withScripts = packages.filter(({ installScript }) => installScript).map(({ name }) => [name, false])
  expect(readManifest('.').allowScripts).toEqual(Object.fromEntries(withScripts))
})

it('who gets a package is what npm says', () => {
  const forUsers = packages.filter(({ audience }) => audience === 'users').map(({ name }) => name)
  expect(forUsers).toEqual(expect.arrayContaining(['sharp', '@img/sharp-win32-x64', 'onnxruntime-node', 'adm-zip']))
  const marked: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  for (const { path, audience } of packages)
    if (audience === 'users') expect(marked).not.toHaveProperty(['packages', path, 'dev'])
  expect(packages.find(({ name }) => name === 'protobufjs')?.audience).toBe('pages')
  expect(packages.find(({ name }) => name === 'vite')?.audience).toBe('development')
})

describe('licences', () => {
  it('are allowed, and as NOTICE says', () => {
    expect(licenceFaults(packages, notice)).toEqual([])
  })

  /** One package more. */
  const withOne = (changes: Partial<Package>): Package[] => [
    ...packages,
    {
      ...{ name: 'stranger', version: '1.0.0', path: 'node_modules/stranger', licence: 'MIT' },
      ...{ installScript: false, audience: 'development' },
      ...changes,
    },
  ]

  it.each<[string, Partial<Package>, RegExp]>([
    ['is missing', { licence: undefined }, /^stranger 1.0.0 states no licence$/],
    ['is not allowed', { licence: 'AGPL-3.0-only' }, /^stranger 1.0.0 is under AGPL-3.0-only, which is not/],
    ['is no licence', { licence: 'SEE LICENSE IN eula.txt' }, /which is not among the allowed/],
    ['is allowed in part', { licence: 'MIT AND GPL-3.0-only' }, /which is not among the allowed/],
    [
      'is allowed in development only',
      { name: 'axe-core', licence: 'MPL-2.0', audience: 'users' },
      /^axe-core 1.0.0 is/,
    ],
    ['is in NOTICE another', { name: 'emojilib', licence: 'ISC', path: 'node_modules/emojilib' }, /in node_modules/],
    [
      'is of somebody whom NOTICE does not name',
      { name: '@iconify-json/new' },
      /^NOTICE does not name @iconify-json\/new$/,
    ],
    ['is new to users', { audience: 'users' }, /^NOTICE must list what users get as follows:.*stranger/s],
  ])('that %s is a fault', (_, changes, fault) => {
    expect(licenceFaults(withOne(changes), notice)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]))
  })

  it.each(['(MIT OR GPL-3.0-only)', 'MIT AND Apache-2.0'])('%s is allowed', (licence) => {
    expect(licenceFaults(withOne({ licence }), notice)).toEqual([])
  })

  it.each<[string, (notice: string) => string, RegExp]>([
    [
      'says another licence',
      (text) => text.replace('emojilib, MIT', 'emojilib, ISC'),
      /^NOTICE has emojilib under ISC; it is/,
    ],
    [
      'names what is not there',
      (text) => text.replace('(emojilib)', '(emoji-lib)'),
      /emoji-lib under MIT; there is no/,
    ],
    ['leaves out what users get', (text) => text.replace('hono, ', ''), /^NOTICE must list what users get/],
  ])('a NOTICE that %s is a fault', (_, change, fault) => {
    expect(licenceFaults(packages, change(notice))).toEqual(expect.arrayContaining([expect.stringMatching(fault)]))
  })
})

describe('npm run audit', () => {
  /** What it says where a registry answers so. */
  async function audit(status: number, advisories: object): Promise<{ code: unknown; stdout: string }> {
    const server = createServer((request, response) => {
      const isQuestion = request.method === 'POST'
      response.writeHead(isQuestion ? status : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isQuestion ? advisories : { error: 'not found' }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const cache = await mkdtemp(join(tmpdir(), 'audit-')) // npm keeps advisories
    const registry = `http://127.0.0.1:${port}`
    const env = {
      ...process.env,
      npm_config_registry: registry,
      npm_config_cache: cache,
      npm_config_fetch_retries: '0',
    }
    const command = [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), join(ROOT, 'test/supply-chain/audit.ts')]
    try {
      return await promisify(execFile)(process.execPath, command, { env }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout }) => ({ code, stdout }),
      )
    } finally {
      server.closeAllConnections()
      server.close()
      await rm(cache, { recursive: true, force: true })
    }
  }
  const advisory = (severity: string) => [
    { id: 1, url: 'https://example.org/1', title: 'It breaks', severity, vulnerable_versions: '*', cwe: [], cvss: {} },
  ]

  it.each<[string, number, object, number, RegExp]>([
    ['nothing known', 200, {}, 0, /^audit: 0 packages of \d+ with known weaknesses\n$/],
    ['a high one in what users get', 200, { yaml: advisory('high') }, 1, /high +users get it +yaml +It breaks \(https/],
    ['a critical one for pages', 200, { flatbuffers: advisory('critical') }, 1, /critical +users get it +flatbuffers/],
    ['a moderate one', 200, { yaml: advisory('moderate') }, 0, /moderate +users get it +yaml/],
    ['a high one in development', 200, { mri: advisory('high') }, 0, /high +development +mri/],
    ['no answer', 405, { error: 'no' }, 0, /^audit: the registry gave no answer, so nothing is known: 405/],
  ])('%s', async (_, status, advisories, code, said) => {
    const result = await audit(status, advisories)
    expect(result.stdout).toMatch(said)
    expect(result.code).toBe(code)
  })
})
