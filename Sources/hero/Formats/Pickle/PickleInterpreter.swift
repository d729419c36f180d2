/// An interpreter that turns the objects of a pickle's run into a value.
///
/// It walks containers, and interprets or rejects the kept calls.
struct PickleInterpreter {
  /// The maximum depth, near which Python itself gives up; a state dict needs fewer than ten
  /// levels.
  private static let deepest = 256

  private let objects: [PickleObject]
  /// The number of values and bytes that may still be made.
  ///
  /// A shared value counts wherever it occurs, so a small pickle cannot unfold into a huge value.
  private var budget: Int
  private var depth = 0
  /// The calls already interpreted and their costs, so that an array that occurs twice is made
  /// once.
  private var calls: [Int: (value: PickleValue, cost: Int)] = [:]

  init(objects: [PickleObject], byteCount: Int) {
    self.objects = objects
    budget = max(byteCount.multipliedOrMax(by: 16), 1 << 17)
  }

  mutating func value(of item: PickleItem) throws -> PickleValue {
    try charge(1)
    switch item {
    case .value(let value): return value
    case .global(.symbol(let name)): return .symbol(name)
    case .global(let global): return .symbol("\(global)")
    case .object(let index):
      depth += 1
      defer { depth -= 1 }
      guard depth <= Self.deepest else {
        throw DataError("the pickle nests deeper than \(Self.deepest) levels, or contains itself")
      }
      let object = objects[index]
      do {
        return try value(of: object, index: index)
      } catch let error as DataError {
        throw error.located(place: "byte \(object.position)")
      }
    }
  }

  private mutating func charge(_ cost: Int) throws {
    budget -= min(budget + 1, cost)
    guard budget >= 0 else {
      throw DataError(
        "the pickle unfolds into far more values than it has bytes", cure: "Do not trust this file")
    }
  }

  private mutating func value(of object: PickleObject, index: Int) throws -> PickleValue {
    switch object.kind {
    case .list: return .list(try values(of: object.items))
    case .tuple: return .tuple(try values(of: object.items))
    case .set: return .set(try values(of: object.items))
    case .dictionary: return .dictionary(try entries(of: object.items))
    case .persistent:
      guard let reference = object.items.first, storageElement(reference) != nil else {
        throw DataError("the pickle refers to data outside itself that is not a tensor's storage")
      }
      return .object("torch.Storage")
    case .call(let global):
      if let known = calls[index] {
        try charge(known.cost)
        return known.value
      }
      let before = budget
      let result = try call(global, object)
      calls[index] = (result, before - budget)
      return result
    }
  }

  private mutating func values(of items: [PickleItem]) throws -> [PickleValue] {
    var values: [PickleValue] = []
    values.reserveCapacity(min(items.count, budget))
    for item in items { values.append(try value(of: item)) }
    return values
  }

  private mutating func entries(of items: [PickleItem]) throws -> [PickleValue.Entry] {
    var entries: [PickleValue.Entry] = []
    var places: [String: Int] = [:]
    for start in stride(from: 0, to: items.count - 1, by: 2) {
      let entry = PickleValue.Entry(key: try value(of: items[start]), value: try value(of: items[start + 1]))
      if case .string(let key) = entry.key {
        // Comparing a long key that occurs often is slow, so it costs more.
        try charge(key.utf8.count / 64)
        if let place = places[key] {
          entries[place] = entry
          continue
        }
        places[key] = entries.count
      }
      entries.append(entry)
    }
    return entries
  }

  // MARK: Calls

  private mutating func call(_ global: PickleGlobal, _ object: PickleObject) throws -> PickleValue {
    let items = object.items
    switch global {
    case .dictionary: return .dictionary(try pairs(items.first))
    case .defaultDictionary: return .dictionary(try pairs(items.dropFirst().first))
    case .list: return .list(try elements(items.first))
    case .tuple: return .tuple(try elements(items.first))
    case .set: return .set(try elements(items.first))
    case .encode, .bytes: return .bytes(try bytes(items))
    case .numpyScalar: return try PickleArrays.scalar(values(of: arguments(items, 2)))
    case .numpyFromBuffer: return try charged(PickleArrays.fromBuffer(values(of: arguments(items, 4))))
    case .numpyReconstruct:
      guard let state = object.state else { throw DataError("a numpy array without its contents") }
      return try charged(PickleArrays.array(state: value(of: state)))
    case .numpyType: return try numpyType(object)
    case .torchTensor, .torchTensorV2, .torchTensorV3: return try tensor(global, items)
    case .torchParameter:
      let inner = try value(of: arguments(items, 1)[0])
      switch inner {
      case .tensor, .foreignArray, .object: return inner
      default: throw DataError("a torch parameter that is not a tensor")
      }
    case .torchTyped:
      let items = try arguments(items, 3)
      guard case .global(let maker) = items[0], case .object(let tuple) = items[2],
        case .tuple = objects[tuple].kind
      else { throw DataError("a malformed tensor of a class of its own") }
      switch maker {
      case .torchTensor, .torchTensorV2, .torchTensorV3: return try tensor(maker, objects[tuple].items)
      default: return .foreignArray("a tensor of a class of its own")
      }
    case .torchForeignTensor(let name): return .foreignArray("a tensor that torch makes by \(name)")
    case .object(let name): return .object(name)
    case .torchScriptModule: return try object.state.map { try value(of: $0) } ?? .dictionary([])
    case .torchSize: return .tuple(try elements(items.first))
    case .torchDevice:
      let parts = try values(of: items).map { $0.string ?? $0.int.map(String.init) ?? "" }
      try charge(parts.reduce(0) { $0 + $1.utf8.count })
      return .string(parts.joined(separator: ":"))
    case .numpyArray, .torchStorage, .torchForeignStorage, .torchUntypedStorage, .symbol:
      throw DataError("a call of \(global), which makes no data that can be read here")
    }
  }

  private mutating func charged(_ array: PickleValue) throws -> PickleValue {
    if case .array(let array) = array { try charge(array.bytes.count) }
    return array
  }

  private func arguments(_ items: [PickleItem], _ count: Int) throws -> [PickleItem] {
    guard items.count >= count else { throw DataError("a call with \(items.count) of \(count) arguments") }
    return Array(items.prefix(count))
  }

  private mutating func elements(_ item: PickleItem?) throws -> [PickleValue] {
    guard let item else { return [] }
    switch try value(of: item) {
    case .list(let elements), .tuple(let elements), .set(let elements): return elements
    default: throw DataError("a container made of something that is none")
    }
  }

  /// Returns the entries of a dictionary that is made of another one or of a sequence of pairs.
  private mutating func pairs(_ item: PickleItem?) throws -> [PickleValue.Entry] {
    guard let item else { return [] }
    let source = try value(of: item)
    if let entries = source.entries { return entries }
    guard let elements = source.elements else {
      throw DataError("a dictionary made of something that is none")
    }
    return try elements.map { element in
      guard let pair = element.elements, pair.count == 2 else {
        throw DataError("a dictionary entry that is no pair")
      }
      return PickleValue.Entry(key: pair[0], value: pair[1])
    }
  }

  /// Interprets `_codecs.encode(text, "latin1")`, or `bytes()` of bytes, numbers or nothing.
  private mutating func bytes(_ items: [PickleItem]) throws -> [UInt8] {
    guard let first = items.first else { return [] }
    switch try value(of: first) {
    case .bytes(let bytes): return bytes
    case .string(let text):
      try charge(text.utf8.count)
      return try text.unicodeScalars.map { scalar in
        guard let byte = UInt8(exactly: scalar.value) else {
          throw DataError("bytes written as text beyond Latin-1")
        }
        return byte
      }
    case .list(let numbers), .tuple(let numbers):
      return try numbers.map { number in
        guard let byte = number.int.flatMap(UInt8.init(exactly:)) else {
          throw DataError("a byte beyond 0…255")
        }
        return byte
      }
    default: throw DataError("bytes made of something that is not text")
    }
  }

  /// Returns a numpy type as the symbol that numpy would print, such as `<f4`.
  private mutating func numpyType(_ object: PickleObject) throws -> PickleValue {
    // Types of records have no short name.
    guard case .value(.string(let code))? = object.items.first else { return .symbol("records") }
    var order = ""
    if let state = object.state, let parts = try value(of: state).elements, parts.count > 1 {
      order = parts[1].string ?? ""
    }
    guard order.utf8.count + code.utf8.count <= 64 else {
      throw DataError("a numpy type of a malformed name")
    }
    guard let (type, isBigEndian) = ScalarType.numpy(order + code) else { return .symbol(order + code) }
    return .symbol((isBigEndian ? ">" : "<") + (type.numpyCode ?? code))
  }

  // MARK: Tensors

  private mutating func tensor(_ global: PickleGlobal, _ items: [PickleItem]) throws -> PickleValue {
    let items = try arguments(items, global == .torchTensorV3 ? 7 : 4)
    guard case .object(let index) = items[0], case .persistent = objects[index].kind,
      let reference = objects[index].items.first
    else { throw DataError("a tensor whose storage is not in the file") }
    if case .torchForeignStorage(let name, _)? = storageElement(reference) {
      return .foreignArray("elements of torch's \(name)")
    }
    var storage = try storage(reference)
    if global == .torchTensorV3 {
      guard case .symbol(let name) = try value(of: items[6]) else {
        throw DataError("a tensor of a malformed type")
      }
      guard let type = ScalarType(rawValue: String(name.dropFirst("torch.".count))) else {
        return .foreignArray("elements of type \(name)")
      }
      storage.count = storage.count.multipliedOrMax(by: storage.type.size) / type.size
      storage.type = type
    }
    guard let offset = try value(of: items[1]).int, let shape = try integers(items[2]),
      let strides = try integers(items[3])
    else { throw DataError("a tensor whose offset, shape or strides are not integers") }
    let tensor = TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides)
    try tensor.check()
    return .tensor(tensor)
  }

  private mutating func integers(_ item: PickleItem) throws -> [Int]? {
    guard let elements = try value(of: item).elements else { return nil }
    let integers = elements.compactMap(\.int)
    return integers.count == elements.count ? integers : nil
  }

  /// Returns the size in bytes of an element of each storage in the pickle, by the storage's key.
  mutating func elementSizes() throws -> [String: Int] {
    var sizes: [String: Int] = [:]
    for object in objects {
      guard case .persistent = object.kind, let reference = object.items.first,
        let size = storageElement(reference)?.elementSize, case .object(let index) = reference,
        let key = try key(objects[index].items[2])
      else { continue }
      sizes[key] = size
    }
    return sizes
  }

  /// Returns the kind of storage that a reference names; nil if it names none.
  private func storageElement(_ reference: PickleItem) -> PickleGlobal? {
    guard case .object(let index) = reference, case .tuple = objects[index].kind,
      objects[index].items.count >= 5,
      case .value(.string("storage")) = objects[index].items[0],
      case .global(let kind) = objects[index].items[1],
      kind.elementSize != nil
    else { return nil }
    return kind
  }

  /// Interprets a reference `("storage", type, key, device, count, view)`.
  ///
  /// `view` is `(key, start, count)`, None or missing.
  private mutating func storage(_ reference: PickleItem) throws -> TorchStorage {
    guard let kind = storageElement(reference), case .object(let index) = reference else {
      throw DataError("a tensor's storage is named by something else than torch's own reference")
    }
    let items = objects[index].items
    guard let key = try key(items[2]), case .value(.int(var count)) = items[4] else {
      throw DataError("a malformed reference to a tensor's storage")
    }
    let type: ScalarType
    if case .torchStorage(let known) = kind { type = known } else { type = .uint8 }
    var start = 0
    if items.count > 5, let view = try value(of: items[5]).elements {
      guard view.count == 3, let viewStart = view[1].int, let viewCount = view[2].int else {
        throw DataError("a malformed view of a tensor's storage")
      }
      let (end, overflow) = viewStart.addingReportingOverflow(viewCount)
      guard viewStart >= 0, viewCount >= 0, !overflow, end <= count else {
        throw DataError("a view that reaches beyond its storage")
      }
      start = viewStart
      count = viewCount
    }
    guard count >= 0 else { throw DataError("a storage of \(count) elements") }
    return TorchStorage(key: key, type: type, count: count, start: start)
  }

  private mutating func key(_ item: PickleItem) throws -> String? {
    let value = try value(of: item)
    return value.string ?? value.int.map(String.init)
  }
}
