/** Small faults in a source file, found by a walk over its syntax: each mutant is the file with one place changed. */
import ts from "typescript";

export interface Mutant {
  /** Where and what: "float64.ts mean: div(a, b) -> a". It does not depend on line numbers; a place that reads like an
   *  earlier one has a number at the end. */
  readonly id: string;
  readonly file: string;
  /** The whole text of the file. */
  readonly text: string;
}

const operators: Partial<Record<ts.SyntaxKind, readonly string[]>> = {
  [ts.SyntaxKind.PlusToken]: ["-"],
  [ts.SyntaxKind.MinusToken]: ["+"],
  [ts.SyntaxKind.AsteriskToken]: ["/"],
  [ts.SyntaxKind.SlashToken]: ["*"],
  [ts.SyntaxKind.PlusEqualsToken]: ["-="],
  [ts.SyntaxKind.LessThanToken]: ["<=", ">="],
  [ts.SyntaxKind.LessThanEqualsToken]: ["<", ">"],
  [ts.SyntaxKind.GreaterThanToken]: [">=", "<="],
  [ts.SyntaxKind.GreaterThanEqualsToken]: [">", "<"],
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: ["!=="],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: ["==="],
  [ts.SyntaxKind.AmpersandAmpersandToken]: ["||"],
  [ts.SyntaxKind.BarBarToken]: ["&&"],
};

/** Methods whose call is replaced by what they are called on: copies, orders and selections that go missing. */
const removable = ["slice", "reverse", "sort", "fill", "filter", "map"];
const otherMethod: Readonly<Record<string, string>> = {
  ...{ some: "every", every: "some", max: "min", min: "max" },
};

/** Every mutant of a file of this package.
 *  @param file its name, for the ids
 *  @param text what it contains */
export function mutantsOf(file: string, text: string): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];
  const counts = new Map<string, number>();

  /** One mutant: `part` of `whole` becomes `replacement`. */
  const change = (whole: ts.Node, part: ts.Node, replacement: string) => {
    const [start, end] = [part.getStart(source), part.getEnd()];
    const before = whole.getText(source);
    const at = start - whole.getStart(source);
    const after = before.slice(0, at) + replacement + before.slice(at + end - start);
    if (after === before) return;
    const id = `${file} ${ownerOf(whole)}: ${short(before)} -> ${short(after) || "nothing"}`;
    const count = (counts.get(id) ?? 0) + 1;
    counts.set(id, count);
    mutants.push({
      id: count === 1 ? id : `${id} (${count})`,
      file,
      text: text.slice(0, start) + replacement + text.slice(end),
    });
  };
  const replace = (node: ts.Node, replacement: string) => change(node, node, replacement);

  const visit = (node: ts.Node): void => {
    if (
      ts.isTypeNode(node) ||
      ts.isImportDeclaration(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      // What a message says, apart from the function's name, is no promise.
      ts.isTemplateExpression(node) ||
      isArgumentCheck(node)
    )
      return;
    if (ts.isBinaryExpression(node)) {
      for (const other of operators[node.operatorToken.kind] ?? [])
        change(node, node.operatorToken, other);
      if (node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken)
        replace(node, node.right.getText(source));
    }
    if (ts.isNumericLiteral(node))
      for (const step of [1, -1]) change(around(node), node, String(Number(node.text) + step));
    if (ts.isStringLiteral(node)) {
      const other = { keep: "drop", drop: "keep" }[node.text] ?? "";
      change(around(node), node, JSON.stringify(other));
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword) change(around(node), node, "false");
    if (node.kind === ts.SyntaxKind.FalseKeyword) change(around(node), node, "true");
    if (ts.isPrefixUnaryExpression(node)) replace(node, node.operand.getText(source));
    if (ts.isConditionalExpression(node))
      for (const branch of [node.whenTrue, node.whenFalse])
        replace(node, `(${branch.getText(source)})`);
    if (ts.isIfStatement(node))
      for (const other of ["true", "false"]) change(node.expression, node.expression, other);
    if (ts.isExpressionStatement(node) || ts.isThrowStatement(node)) replace(node, ";");
    if (ts.isCallExpression(node)) visitCall(node);
    if (ts.isArrayLiteralExpression(node) && !ts.isBinaryExpression(node.parent)) {
      const [first, second, ...more] = node.elements;
      if (first && !second && ts.isSpreadElement(first))
        replace(node, first.expression.getText(source));
      if (first && second && more.length === 0)
        replace(node, `[${second.getText(source)}, ${first.getText(source)}]`);
    }
    // The gradient from above, ignored.
    if (ts.isIdentifier(node) && node.text === "dy" && !ts.isParameter(node.parent))
      change(around(node), node, "fill(dy.shape, 1)");
    if (ts.isFunctionDeclaration(node) && node.body && node.parameters[0]) {
      const { name } = node.parameters[0];
      const [statement] = node.body.statements;
      if (ts.isIdentifier(name) && statement)
        change(statement, statement, `return ${name.text}; ${statement.getText(source)}`);
    }
    ts.forEachChild(node, visit);
  };

  const visitCall = (node: ts.CallExpression) => {
    const callee = node.expression;
    const args = node.arguments.map((argument) => argument.getText(source));
    if (ts.isPropertyAccessExpression(callee)) {
      const { text: name } = callee.name;
      const receiver = callee.expression.getText(source);
      if (removable.includes(name)) replace(node, receiver);
      const other = otherMethod[name];
      if (other !== undefined) change(node, callee.name, other);
      if (name === "includes") replace(node, `!${node.getText(source)}`);
      if (name === "from" && args[0]) replace(node, args[0]);
    }
    const plain = node.arguments.every(
      (argument) => !ts.isArrowFunction(argument) && !isText(argument),
    );
    if (ts.isIdentifier(callee) && plain) {
      const [first, second, ...rest] = args;
      if (first && second) {
        replace(node, `${callee.text}(${[second, first, ...rest].join(", ")})`);
        replace(node, first);
        replace(node, second);
      } else if (first) replace(node, first);
    }
  };

  /** The smallest expression around a word that tells where it stands. */
  const around = (node: ts.Node): ts.Node => {
    let outer = node.parent;
    while (outer.parent && outer.getText(source).length < 12 && !ts.isStatement(outer))
      outer = outer.parent;
    return outer;
  };

  /** The name of the function or constant that a node is in. */
  const ownerOf = (node: ts.Node): string => {
    for (let outer: ts.Node = node; outer.parent; outer = outer.parent) {
      const name =
        ts.isFunctionDeclaration(outer) ||
        ts.isVariableDeclaration(outer) ||
        ts.isPropertyAssignment(outer) ||
        ts.isClassDeclaration(outer)
          ? outer.name?.getText(source)
          : undefined;
      if (name !== undefined && /^\w+$/.test(name) && outer !== node) return name;
    }
    return "";
  };

  visit(source);
  return mutants;
}

/** A check of what only callers without a compiler pass: tables of bad arguments hold those, an adapter never fails one. */
function isArgumentCheck(node: ts.Node): boolean {
  return (
    ts.isExpressionStatement(node) &&
    ts.isCallExpression(node.expression) &&
    ts.isIdentifier(node.expression.expression) &&
    node.expression.expression.text.startsWith("require")
  );
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteral(node) || ts.isTemplateExpression(node);
}

function short(code: string): string {
  const line = code.replaceAll(/\s+/g, " ");
  return line.length <= 70 ? line : `${line.slice(0, 44)}…${line.slice(-25)}`;
}
