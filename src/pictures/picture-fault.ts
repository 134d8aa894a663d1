/** Why bytes are no picture that can be read, in words that go on after the file's name. */
export class PictureFault extends Error {}
