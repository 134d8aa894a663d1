import { expect, it } from 'vitest'
import { peerDependencies, version } from '../../package.json' with { type: 'json' }
import { ONNXRUNTIME_WEB, VERSION } from './version.ts'

it('a page knows the versions of package.json', () => {
  expect(VERSION).toBe(version)
  expect(ONNXRUNTIME_WEB).toBe(peerDependencies['onnxruntime-web'])
})
