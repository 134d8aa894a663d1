import ts from 'typescript'
import { expect, it } from 'vitest'

it('every symbol that the package exports has a docstring', () => {
  const read = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, '.')
  const entries = ['src/public/index.ts', 'src/public/node.ts', 'src/public/web.ts', 'src/graph/index.ts']
  const program = ts.createProgram(entries, options)
  const checker = program.getTypeChecker()
  const exported = entries.flatMap((entry) => {
    const file = program.getSourceFile(entry)
    const module = file && checker.getSymbolAtLocation(file)
    return module ? checker.getExportsOfModule(module) : []
  })
  const undocumented = exported.filter((symbol) => {
    const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    return meant.getDocumentationComment(checker).length === 0
  })
  expect(exported.length).toBeGreaterThan(200)
  expect(undocumented.map(({ name }) => name)).toEqual([])
})
