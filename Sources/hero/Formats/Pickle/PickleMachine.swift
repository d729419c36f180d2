/// A machine that runs a pickle's opcodes as Python's unpickler does, but keeps calls as data.
struct PickleMachine {
  private(set) var cursor: ByteCursor
  private(set) var objects: [PickleObject] = []
  private var stack: [PickleItem] = []
  /// The stack's height at each open `MARK`.
  private var marks: [Int] = []
  private var memo = PickleMemo()
  /// The byte offset of the opcode that is run.
  private var position = 0

  init(_ buffer: UnsafeRawBufferPointer) {
    cursor = ByteCursor(buffer)
  }

  /// Runs to `STOP` and returns the top of the stack.
  mutating func run() throws -> PickleItem {
    while true {
      position = cursor.position
      guard cursor.remaining > 0 else {
        throw DataError(
          "the pickle ends without its STOP", place: "byte \(position)",
          cure: "The file is cut short; get it again")
      }
      let code = try cursor.byte()
      guard let opcode = PickleOpcode(rawValue: code) else {
        throw failure("\(String(code, radix: 16)) is not a pickle opcode")
      }
      do {
        if opcode == .stop { return try pop() }
        try run(opcode)
      } catch let error as DataError {
        throw error.located(place: "byte \(position)")
      }
    }
  }

  private mutating func run(_ opcode: PickleOpcode) throws {
    switch opcode {
    case .emptyList: push(.list)
    case .emptyTuple: push(.tuple)
    case .emptyDict: push(.dictionary)
    case .emptySet: push(.set)
    case .mark: marks.append(stack.count)
    case .list: push(.list, try popMark())
    case .tuple: push(.tuple, try popMark())
    case .dict: push(.dictionary, try pairs(popMark()))
    case .frozenSet: push(.set, try popMark())
    case .tuple1: push(.tuple, try pop(1))
    case .tuple2: push(.tuple, try pop(2))
    case .tuple3: push(.tuple, try pop(3))
    case .append: try extend(.list, with: pop(1))
    case .appends: try extend(.list, with: popMark())
    case .setItem: try extend(.dictionary, with: pop(2))
    case .setItems: try extend(.dictionary, with: pairs(popMark()))
    case .addItems: try extend(.set, with: popMark())
    case .pop: try popOrUnmark()
    case .popMark: _ = try popMark()
    case .dup: stack.append(try top())
    case .put: memo[try PickleScalars.decimal(&cursor)] = try top()
    case .binPut: memo[Int(try cursor.byte())] = try top()
    case .longBinPut: memo[Int(try cursor.integer(UInt32.self))] = try top()
    case .memoize: memo[memo.count] = try top()
    case .get: try recall(PickleScalars.decimal(&cursor))
    case .binGet: try recall(Int(cursor.byte()))
    case .longBinGet: try recall(Int(cursor.integer(UInt32.self)))
    case .proto: try checkProtocol()
    case .frame: _ = try cursor.integer(UInt64.self)
    case .global, .stackGlobal, .inst, .obj, .newObject, .newObjectExtended, .reduce, .build, .persistentID,
      .binPersistentID:
      try runCall(opcode)
    case .extension1, .extension2, .extension4:
      throw failure("the pickle asks for a name from Python's extension registry")
    case .nextBuffer, .readOnlyBuffer:
      throw failure("the pickle keeps data outside itself, in buffers that are not in the file")
    default: stack.append(.value(try PickleScalars.take(opcode, from: &cursor)))
    }
  }

  private mutating func runCall(_ opcode: PickleOpcode) throws {
    switch opcode {
    case .global:
      let module = try PickleScalars.line(&cursor)
      stack.append(.global(try global(module, PickleScalars.line(&cursor))))
    case .stackGlobal:
      let names = try pop(2)
      guard case .value(.string(let module)) = names[0], case .value(.string(let name)) = names[1] else {
        throw failure("a name that is not text")
      }
      stack.append(.global(try global(module, name)))
    case .inst:
      let module = try PickleScalars.line(&cursor)
      let callee = try global(module, PickleScalars.line(&cursor))
      call(.global(callee), try popMark())
    case .obj:
      let items = try popMark()
      guard let callee = items.first else { throw failure("an object without a class") }
      try call(checked: callee, Array(items.dropFirst()))
    case .newObject, .reduce:
      let items = try pop(2)
      try call(checked: items[0], tuple(items[1]))
    case .newObjectExtended:
      let items = try pop(3)
      try call(checked: items[0], tuple(items[1]))
    case .build: try build()
    case .persistentID:
      push(.persistent, [.value(.string(try PickleScalars.line(&cursor)))])
    case .binPersistentID: push(.persistent, try pop(1))
    default: break
    }
  }

  // MARK: Names and calls

  private func global(_ module: String, _ name: String) throws -> PickleGlobal {
    if let global = PickleGlobal(module: module, name: name) { return global }
    throw DataError(
      "the pickle asks for \(module.prefix(100)).\(name.prefix(100)), which is neither a tensor nor a plain container",
      place: "byte \(position)",
      cure:
        "Save the file again with tensors, numbers, texts, lists and dictionaries only (a model's state_dict)"
    )
  }

  private mutating func call(checked callee: PickleItem, _ arguments: [PickleItem]) throws {
    switch callee {
    case .global: call(callee, arguments)
    // A call of an opaque object makes an opaque object.
    case .object(let index) where isOpaque(index): push(objects[index].kind)
    default: throw failure("a call of something that is not a name")
    }
  }

  /// Returns whether an object is opaque: its content is not read.
  private func isOpaque(_ index: Int) -> Bool {
    if case .call(.object) = objects[index].kind { true } else { false }
  }

  /// Keeps a call as data, except that it makes an empty container at once, for opcodes to fill.
  private mutating func call(_ callee: PickleItem, _ arguments: [PickleItem]) {
    guard case .global(let global) = callee else { return }
    switch (global, arguments.count) {
    case (.dictionary, 0), (.defaultDictionary, 0...1): push(.dictionary)
    case (.list, 0): push(.list)
    case (.set, 0): push(.set)
    case (.object, _): push(.call(global))
    default: push(.call(global), arguments)
    }
  }

  private mutating func build() throws {
    let state = try pop()
    guard case .object(let index) = try top() else { return }
    // Nobody reads the attributes of a container, such as a state dict's `_metadata`.
    if case .call = objects[index].kind, !isOpaque(index) { objects[index].state = state }
  }

  private func tuple(_ item: PickleItem) throws -> [PickleItem] {
    guard case .object(let index) = item, case .tuple = objects[index].kind else {
      throw failure("a call whose arguments are not a tuple")
    }
    return objects[index].items
  }

  // MARK: Stack

  private mutating func push(_ kind: PickleObject.Kind, _ items: [PickleItem] = []) {
    stack.append(.object(objects.count))
    objects.append(PickleObject(kind: kind, items: items, position: position))
  }

  /// The lowest index of the stack that may be popped without crossing an open mark.
  private var floor: Int { marks.last ?? 0 }

  private mutating func pop() throws -> PickleItem {
    guard stack.count > floor, let item = stack.popLast() else { throw failure("the stack is empty") }
    return item
  }

  private mutating func pop(_ count: Int) throws -> [PickleItem] {
    guard stack.count - count >= floor else { throw failure("the stack holds fewer than \(count) values") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popMark() throws -> [PickleItem] {
    guard let mark = marks.popLast() else { throw failure("no MARK is open") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func popOrUnmark() throws {
    if stack.count == floor, marks.popLast() != nil { return }
    _ = try pop()
  }

  private func top() throws -> PickleItem {
    guard stack.count > floor, let item = stack.last else { throw failure("the stack is empty") }
    return item
  }

  private func pairs(_ items: [PickleItem]) throws -> [PickleItem] {
    guard items.count.isMultiple(of: 2) else { throw failure("a key without a value") }
    return items
  }

  private enum Container { case list, dictionary, set }

  private mutating func extend(_ container: Container, with items: [PickleItem]) throws {
    guard case .object(let index) = try top() else {
      throw failure("items for something that is not a container")
    }
    switch (container, objects[index].kind) {
    case (.list, .list), (.dictionary, .dictionary), (.set, .set): objects[index].items += items
    // The object's class inherits from a container.
    case _ where isOpaque(index): break
    default: throw failure("items of a \(container) for something else")
    }
  }

  private mutating func recall(_ index: Int) throws {
    guard let item = memo[index] else { throw failure("memo \(index) is used before it is set") }
    stack.append(item)
  }

  private mutating func checkProtocol() throws {
    let version = try cursor.byte()
    guard version <= 5 else { throw failure("pickle protocol \(version) is unknown") }
  }

  private func failure(_ problem: String) -> DataError {
    DataError(problem, place: "byte \(position)", cure: "The file is damaged or not a pickle; get it again")
  }
}

/// The pickle's numbered memo: dense if the numbers follow one another, otherwise sparse.
private struct PickleMemo {
  private var dense: [PickleItem] = []
  private var sparse: [Int: PickleItem] = [:]

  var count: Int { dense.count + sparse.count }

  subscript(index: Int) -> PickleItem? {
    get { dense.indices.contains(index) ? dense[index] : sparse[index] }
    set {
      guard let newValue else { return }
      if dense.indices.contains(index) {
        dense[index] = newValue
      } else if index == dense.count, sparse[index] == nil {
        dense.append(newValue)
      } else {
        sparse[index] = newValue
      }
    }
  }
}
