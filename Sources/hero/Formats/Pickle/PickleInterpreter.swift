/// Turns what a pickle's run left behind into a value: containers are walked, kept calls are understood or refused.
struct PickleInterpreter {
  /// Python itself gives up near this depth; a state dict needs fewer than ten.
  private static let deepest = 256

  private let objects: [PickleObject]
  /// How many more values may be made. A shared container counts wherever it occurs, so that a small pickle cannot
  /// unfold into a huge value.
  private var budget: Int
  private var depth = 0
  /// Calls already understood: an array that occurs twice is made once.
  private var calls: [Int: PickleValue] = [:]

  init(objects: [PickleObject], byteCount: Int) {
    self.objects = objects
    budget = max(byteCount.multipliedOrMax(by: 16), 1 << 17)
  }

  mutating func value(of item: PickleItem) throws -> PickleValue {
    budget -= 1
    guard budget >= 0 else {
      throw DataError(
        "the pickle unfolds into far more values than it has bytes", cure: "Do not trust this file")
    }
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

  private mutating func value(of object: PickleObject, index: Int) throws -> PickleValue {
    switch object.kind {
    case .list: return .list(try values(of: object.items))
    case .tuple: return .tuple(try values(of: object.items))
    case .set: return .set(try values(of: object.items))
    case .dictionary: return .dictionary(try entries(of: object.items))
    case .persistent:
      throw DataError("the pickle refers to data outside itself that is not a tensor's storage")
    case .call(let global):
      if let known = calls[index] { return known }
      let result = try call(global, object)
      calls[index] = result
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
    case .numpyFromBuffer: return .array(try PickleArrays.fromBuffer(values(of: arguments(items, 4))))
    case .numpyReconstruct:
      guard let state = object.state else { throw DataError("a numpy array without its contents") }
      return .array(try PickleArrays.array(state: value(of: state)))
    case .numpyType: return try numpyType(object)
    case .torchTensor, .torchTensorV2, .torchTensorV3: return .tensor(try tensor(global, items))
    case .torchParameter:
      let inner = try value(of: arguments(items, 1)[0])
      guard case .tensor = inner else { throw DataError("a torch parameter that is not a tensor") }
      return inner
    case .torchScriptModule: return try object.state.map { try value(of: $0) } ?? .dictionary([])
    case .torchSize: return .tuple(try elements(items.first))
    case .torchDevice:
      let parts = try values(of: items).map { $0.string ?? $0.int.map(String.init) ?? "" }
      return .string(parts.joined(separator: ":"))
    case .numpyArray, .torchStorage, .torchUntypedStorage, .symbol:
      throw DataError("a call of \(global), which makes no data that can be read here")
    }
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

  /// A dictionary's constructor takes another dictionary or a sequence of pairs.
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

  /// `_codecs.encode(text, "latin1")`, or `bytes()` of bytes, of a list of numbers, or of nothing.
  private mutating func bytes(_ items: [PickleItem]) throws -> [UInt8] {
    guard let first = items.first else { return [] }
    switch try value(of: first) {
    case .bytes(let bytes): return bytes
    case .string(let text):
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

  /// A numpy type as the symbol numpy would print, such as `<f4`.
  private mutating func numpyType(_ object: PickleObject) throws -> PickleValue {
    guard case .value(.string(let code))? = object.items.first else {
      throw DataError("a numpy type without its name")
    }
    var order = ""
    if let state = object.state, let parts = try value(of: state).elements, parts.count > 1 {
      order = parts[1].string ?? ""
    }
    guard let (type, isBigEndian) = ScalarType.numpy(order + code) else {
      throw DataError(
        "numpy values of type “\(order)\(code)”",
        cure: "Save them as one of float16, float32, float64, int8 … int64, uint8 or bool")
    }
    return .symbol((isBigEndian ? ">" : "<") + (type.numpyCode ?? code))
  }

  // MARK: Tensors

  private mutating func tensor(_ global: PickleGlobal, _ items: [PickleItem]) throws -> TorchTensor {
    let items = try arguments(items, global == .torchTensorV3 ? 7 : 4)
    guard case .object(let index) = items[0], case .persistent = objects[index].kind,
      let reference = objects[index].items.first
    else { throw DataError("a tensor whose storage is not in the file") }
    var storage = try storage(reference)
    if global == .torchTensorV3 {
      guard case .symbol(let name) = try value(of: items[6]),
        let type = ScalarType(rawValue: String(name.dropFirst("torch.".count)))
      else { throw DataError("a tensor of a type that cannot be read here") }
      storage.count = storage.count.multipliedOrMax(by: storage.type.size) / type.size
      storage.type = type
    }
    guard let offset = try value(of: items[1]).int, let shape = try integers(items[2]),
      let strides = try integers(items[3])
    else { throw DataError("a tensor whose offset, shape or strides are not integers") }
    let tensor = TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides)
    try tensor.check()
    return tensor
  }

  private mutating func integers(_ item: PickleItem) throws -> [Int]? {
    guard let elements = try value(of: item).elements else { return nil }
    let integers = elements.compactMap(\.int)
    return integers.count == elements.count ? integers : nil
  }

  /// `("storage", type, key, device, count, view)`, where `view` is `(key, start, count)` if it is there and not None.
  private mutating func storage(_ reference: PickleItem) throws -> TorchStorage {
    guard case .object(let index) = reference, case .tuple = objects[index].kind else {
      throw DataError("a tensor's storage is named by something that is not a tuple")
    }
    let items = objects[index].items
    guard items.count >= 5, case .value(.string("storage")) = items[0], case .global(let kind) = items[1],
      let key = try key(items[2]), case .value(.int(var count)) = items[4]
    else { throw DataError("a malformed reference to a tensor's storage") }
    let type: ScalarType
    switch kind {
    case .torchStorage(let known): type = known
    case .torchUntypedStorage: type = .uint8
    default: throw DataError("a storage of elements that cannot be read here")
    }
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
