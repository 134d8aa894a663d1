import { expect, it } from 'vitest'
import { withoutSecrets } from './secrets.ts'

const ENV = {
  HF_TOKEN: 'hf_abcdefgh1234',
  COOP_TS_TOKEN: 'hf_abcdefgh1234567',
  AWS_SECRET_ACCESS_KEY: 'a+b/c=d e&f',
  HF_TOKEN_PATH: '/home/me/token',
  HF_HUB_DISABLE_IMPLICIT_TOKEN: '1',
  COOP_TS_QUEUE: 'redis://me:p%40ssword9@10.0.0.1:6379/0',
  EMPTY_TOKEN: '',
}

it.each([
  ['a token', 'refused: hf_abcdefgh1234', 'refused: $HF_TOKEN'],
  ['a token that begins with another', 'x-hf_abcdefgh1234567-y', 'x-$COOP_TS_TOKEN-y'],
  ['a token in an address', 'https://a/?k=a%2Bb%2Fc%3Dd%20e%26f', 'https://a/?k=$AWS_SECRET_ACCESS_KEY'],
  ['the password of an address', 'NOAUTH p%40ssword9, p@ssword9', 'NOAUTH $COOP_TS_QUEUE, $COOP_TS_QUEUE'],
  ['a login', 'no rediss://me:secret@10.0.0.1:6379/0', 'no rediss://***@10.0.0.1:6379/0'],
  ['a password alone, with an @', 'redis://:se@cret@host', 'redis://***@host'],
  ['two logins', 'https://a:b@c and HTTPS://d@e', 'https://***@c and HTTPS://***@e'],
  [
    'a signed address',
    'https://cdn/x?X-Amz-Signature=ab12&n=1&access_token=z',
    'https://cdn/x?X-Amz-Signature=***&n=1&access_token=***',
  ],
])('%s is not kept', (_, text, kept) => {
  expect(withoutSecrets(text, ENV)).toBe(kept)
})

it.each([
  'coop-ts train photos --cache /home/me/token --shots 1',
  'hf://squad@main and hf-hub:owner/name@v1',
  'http://127.0.0.1:8080/v1?run=photos',
  '{"url":"http://127.0.0.1","message":"me@example.org"}',
  'https://host/@scope/name',
])('%s stays', (text) => {
  expect(withoutSecrets(text, ENV)).toBe(text)
})
