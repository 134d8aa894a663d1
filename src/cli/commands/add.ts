import { defineCommand } from '../command.ts'
import { COMPUTING, modelOfRun, PICTURES, runOperand } from '../shared-options.ts'

export const add = defineCommand({
  name: 'add',
  summary: 'add a class to a trained run without learning the others anew',
  details:
    'Where the method learned something that goes with any class name (zero-shot, CoOp with one context, CoCoOp, KgCoOp, ' +
    'CLIP-Adapter), the name is enough. Where it keeps each class by its pictures (nearest class mean, Tip-Adapter), it needs a ' +
    'folder of pictures. Other methods refuse: they learn their classes together. What was learned before is kept in the folder ' +
    'of the run; the accuracy in results.json stays that of the classes before.',
  operands: [
    runOperand,
    { name: 'name', help: 'name of the new class, as prompts have it' },
    { name: 'folder', help: 'folder of pictures of the new class', optional: true },
  ],
  examples: ['coop-ts add runs/photos zebra', 'coop-ts add runs/photos-tip-adapter "snow leopard" leopards'],
  options: { model: modelOfRun, ...PICTURES, ...COMPUTING },
  async run(settings, [run = '', name = '', pictures], hooks) {
    const { addClassAsGiven } = await import('../../runs/add-class.ts')
    const added = await addClassAsGiven(run, name, { ...settings, pictures }, hooks)
    const text = [
      `${run} tells ${added.classNames.length} classes apart, ${name} among them`,
      `what it had learned before is kept in ${added.former}`,
      `its results.json is of the ${added.classNames.length - 1} classes before; measure again: coop-ts evaluate ${run} DATA`,
    ].join('\n')
    return { json: added, text }
  },
})
