import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fileUrl, infoUrl, isSafePath, parseHubId, repoFolderName } from './repo.ts'
import { hubSettings } from './settings.ts'

describe('the settings in the environment', () => {
  it.each<[Record<string, string>, string]>([
    [{}, join(homedir(), '.cache/huggingface/hub')],
    [{ XDG_CACHE_HOME: '/x' }, '/x/huggingface/hub'],
    [{ XDG_CACHE_HOME: '/x', HF_HOME: '/h' }, '/h/hub'],
    [{ HF_HOME: '~/h' }, join(homedir(), 'h/hub')],
    [{ HF_HOME: '$BASE/h', BASE: '/b' }, '/b/h/hub'],
    [{ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/c' }, '/c'],
    [{ HUGGINGFACE_HUB_CACHE: '/c', HF_HUB_CACHE: '/d' }, '/d'],
  ])('%j keep the cache in %s', async (env, folder) => {
    expect((await hubSettings(env)).cacheDir).toBe(folder)
  })

  it('name the endpoint, without a slash at its end', async () => {
    expect((await hubSettings({})).endpoint).toBe('https://huggingface.co')
    expect((await hubSettings({ HF_ENDPOINT: 'http://mirror:8/' })).endpoint).toBe('http://mirror:8')
  })

  it('are refused where the endpoint is no address, or the token no token', async () => {
    await expect(hubSettings({ HF_ENDPOINT: 'huggingface.co' })).rejects.toThrow(/HF_ENDPOINT is not a URL/)
    await expect(hubSettings({ HF_TOKEN: 'hf_\u00e4' })).rejects.toThrow(/not allowed in a token/)
  })

  it.each([
    ['1', true],
    ['TRUE', true],
    ['on', true],
    ['0', false],
    ['', false],
  ])('HF_HUB_OFFLINE=%s: offline is %s', async (value, offline) => {
    expect((await hubSettings({ HF_HUB_OFFLINE: value })).offline).toBe(offline)
  })

  it('have a token in a variable, else in a file', async () => {
    const home = await mkdtemp(join(tmpdir(), 'hub-token-'))
    onTestFinished(() => rm(home, { recursive: true }))
    await writeFile(join(home, 'token'), 'hf_file\n')
    await writeFile(join(home, 'other'), 'hf_other')
    const tokenOf = async (env: Record<string, string>) => (await hubSettings({ HF_HOME: home, ...env })).token
    expect(await tokenOf({})).toBe('hf_file')
    expect(await tokenOf({ HF_TOKEN: ' hf_named\n' })).toBe('hf_named')
    expect(await tokenOf({ HUGGING_FACE_HUB_TOKEN: 'hf_old' })).toBe('hf_old')
    expect(await tokenOf({ HF_TOKEN_PATH: join(home, 'other') })).toBe('hf_other')
    expect(await tokenOf({ HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined()
    expect(await tokenOf({ HF_HOME: join(home, 'nowhere') })).toBeUndefined()
  })
})

describe('an id of the hub', () => {
  it.each([
    ['openai/clip-vit-base-patch16', 'openai/clip-vit-base-patch16', 'main'],
    ['hf-hub:timm/resnet50_clip.openai', 'timm/resnet50_clip.openai', 'main'],
    ['owner/name@refs/pr/3', 'owner/name', 'refs/pr/3'],
    ['hf-hub:name@v1.0', 'name', 'v1.0'],
  ])('is read from %s', (word, id, revision) => {
    expect(parseHubId(word)).toEqual({ type: 'model', id, revision })
  })

  it.each(['name', 'a/b/c', './a/b', '/a/b', '../b', 'a/', 'a/..', 'a b/c', 'a--b/c', 'a/b@', 'a/b@../..', 'a/b@c@d'])(
    'is not %s',
    (word) => {
      expect(parseHubId(word)).toBeUndefined()
    },
  )

  it('becomes a folder and addresses', () => {
    const repo = { type: 'dataset', id: 'a/b', revision: 'refs/convert/parquet' } as const
    expect(repoFolderName(repo)).toBe('datasets--a--b')
    expect(fileUrl('http://h', repo, 'x y/z.bin')).toBe(
      'http://h/datasets/a/b/resolve/refs%2Fconvert%2Fparquet/x%20y/z.bin',
    )
    expect(infoUrl('http://h', { ...repo, type: 'model' })).toBe(
      'http://h/api/models/a/b/revision/refs%2Fconvert%2Fparquet',
    )
  })

  it.each(['../x', 'a/../../x', '/etc/passwd', 'a//b', 'a\\..\\b', 'C:x', 'a/\u0000'])('has no file %j', (path) => {
    expect(isSafePath(path)).toBe(false)
  })
})
