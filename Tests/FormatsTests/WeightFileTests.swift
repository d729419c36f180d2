import Foundation
import TestSupport
import Testing

@testable import Formats

/// Weights in the forms in which people save them.
@Suite struct WeightFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let names = ["v.a.weight", "v.a.bias", "head.weight"]

  /// Returns where a name of these tests' model begins: at its part `v`.
  private static func start(_ name: String) -> Int? {
    if name.hasPrefix("v.") { return 0 }
    return name.range(of: ".v.").map { name.utf8.distance(from: name.startIndex, to: $0.lowerBound) + 1 }
  }

  private func values(_ file: WeightFile) throws -> [Float] {
    try Self.names.map { try #require(try file.array($0), "\($0)").floats()[0] }
  }

  private func safetensors(_ names: [String], _ file: String = "m.safetensors") throws -> String {
    let arrays = names.enumerated().map {
      (name: $1, array: NDArray(floats: [Float($0 + 1), 0], shape: [2]))
    }
    try Safetensors.write(path: folder.path(file), tensors: arrays)
    return folder.path(file)
  }

  @Test(arguments: [
    "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "_forward_module.model.",
    "model.module.", "state_dict.model.", "net.", "anything.at.all.", "0.auto_model.", "ema_model.",
  ])
  func prefixesAreTakenOffAndTold(_ prefix: String) throws {
    for start in prefix.contains("a") ? [Self.start] : [Self.start, nil] {
      let file = try WeightFile(path: safetensors(Self.names.map { prefix + $0 }), start: start)
      #expect(file.names == Self.names)
      #expect(try values(file) == [1, 2, 3])
      #expect(file.notes.count == 1)
      for part in prefix.split(separator: ".") { #expect(file.notes.first?.contains(part) == true) }
    }
  }

  @Test func theModelsOwnNamesNeedNoWord() throws {
    let file = try WeightFile(path: safetensors(Self.names), start: Self.start)
    #expect(file.names == Self.names && file.notes.isEmpty)
  }

  /// Arrays without elements are refused, as in a process's own file under ZeRO stage 3.
  @Test(arguments: [[0], [0, 4]]) func arraysWithoutElementsAreRefused(shape: [Int]) throws {
    let path = folder.path("m.safetensors")
    try Safetensors.write(path: path, tensors: [(name: "v.a.bias", array: NDArray(floats: [], shape: shape))])
    let file = try WeightFile(path: path, start: Self.start)
    let error = try #require(throws: DataError.self) { try file.array("v.a.bias") }
    #expect("\(error)".contains("zero_to_fp32") && error.place == "parameter \"v.a.bias\"")
  }

  @Test func wrappersMayStandInsideNames() throws {
    let stored = [
      "_fsdp_wrapped_module.v._fsdp_wrapped_module.a._checkpoint_wrapped_module.weight", "v._orig_mod.a.bias",
      "module.head.weight",
    ]
    let file = try WeightFile(path: safetensors(stored), start: Self.start)
    #expect(file.names == Self.names)
    #expect(try values(file) == [1, 2, 3])
  }

  @Test(arguments: [
    "model", "module", "net", "state_dict", "model_state_dict", "model_state", "ema", "something",
  ])
  func dictionariesMayHoldTheModel(_ key: String) throws {
    var file = TorchFile(state: Self.names)
    // The model lies beside an optimizer of the same names, an object of the user's class, random
    // states and numbers.
    file.root = TorchFile.dictionary([
      (key, file.root), ("epoch", TorchFile.number(3)),
      ("args", TorchFile.call("argparse", "Namespace", []) + TorchFile.dictionary([]) + [0x62]),
      ("config", TorchFile.name("__main__", "Config") + [0x29, 0x81]),
      (
        "optimizer",
        TorchFile.dictionary([("state", TorchFile.dictionary([("v.a.weight", TorchFile.tensor("0", [2]))]))])
      ),
      ("rng_state", TorchFile.tensor("0", [8], storage: "ByteStorage")),
    ])
    try file.write(to: folder.path("m.pt"))
    let read = try WeightFile(path: folder.path("m.pt"), start: Self.start)
    #expect(read.names == Self.names)
    #expect(try values(read) == [1, 2, 3])
  }

  @Test func parametersMayCarryStateOrAClass() throws {
    var file = TorchFile(state: Self.names)
    let tensors = Self.names.indices.map { TorchFile.tensor("\($0)", [2]) }
    file.root = TorchFile.dictionary([
      (
        Self.names[0],
        TorchFile.call("torch._utils", "_rebuild_parameter_with_state", [tensors[0], [0x88], [0x7d], [0x7d]])
      ),
      (Self.names[1], TorchFile.call("torch._utils", "_rebuild_parameter", [tensors[1], [0x88], [0x7d]])),
      (Self.names[2], TorchFile.typed("2", [2])),
    ])
    try file.write(to: folder.path("m.pt"))
    #expect(try values(WeightFile(path: folder.path("m.pt"), start: Self.start)) == [1, 2, 3])
  }

  /// An array of an unsupported kind is refused only when it is needed.
  @Test func foreignArraysRefuseOnlyThemselves() throws {
    var file = TorchFile(state: Self.names)
    file.root.removeLast()
    let v3 = TorchFile.call(
      "torch._utils", "_rebuild_tensor_v3",
      [
        TorchFile.storage("0", "UntypedStorage", count: 8).withModule("torch.storage"), TorchFile.number(0),
        TorchFile.tuple([TorchFile.number(2)]), TorchFile.tuple([TorchFile.number(1)]), [0x89], [0x7d],
        TorchFile.name("torch", "uint32"),
      ])
    let quantised = TorchFile.call("torch._utils", "_rebuild_qtensor", [TorchFile.tensor("0", [2])])
    let complex = TorchFile.tensor("0", [1], storage: "ComplexFloatStorage")
    for (key, value) in [("counts", v3), ("v.quantised", quantised), ("complex", complex)] {
      file.root += TorchFile.text(key) + value
    }
    file.root.append(0x75)
    try file.write(to: folder.path("m.pt"))
    let read = try WeightFile(path: folder.path("m.pt"), start: Self.start)
    #expect(try values(read) == [1, 2, 3])
    for name in ["counts", "v.quantised", "complex"] {
      #expect(try read.shape(name) == nil)
      let error = try #require(throws: DataError.self) { try read.array(name) }
      #expect("\(error)".contains(name))
    }
  }

  @Test func dictionariesOfNumpyArraysAreWeights() throws {
    // {"model": {name: array}} as pickle.dump writes it, with a state of numpy's random numbers
    // beside.
    func array(_ value: Float) -> [UInt8] {
      let bytes = NDArray(floats: [value, 0], shape: [2]).bytes
      let type = TorchFile.call("numpy", "dtype", [TorchFile.text("f4"), [0x89], [0x88]])
      return TorchFile.call(
        "numpy._core.numeric", "_frombuffer",
        [
          [0x43, 8] + bytes, type, TorchFile.tuple([TorchFile.number(2)]), TorchFile.text("C"),
        ])
    }
    let state = TorchFile.dictionary(Self.names.enumerated().map { ($1, array(Float($0 + 1))) })
    let random = TorchFile.call("numpy.random._pickle", "__randomstate_ctor", [TorchFile.text("MT19937")])
    let pickle = [0x80, 4] + TorchFile.dictionary([("model", state), ("rng", random)]) + [0x2e]
    try Data(pickle).write(to: URL(fileURLWithPath: folder.path("m.pkl")))
    #expect(try values(WeightFile(path: folder.path("m.pkl"), start: Self.start)) == [1, 2, 3])
    let arrays = Self.names.enumerated().map {
      (name: "module." + $1, array: NDArray(floats: [Float($0 + 1), 0], shape: [2]))
    }
    try NPZ.write(path: folder.path("m.npz"), arrays)
    #expect(try values(WeightFile(path: folder.path("m.npz"), start: Self.start)) == [1, 2, 3])
  }

  @Test func ofTwoCopiesThePlainOneIsTakenAndTold() throws {
    for other in ["ema.", "model_ema.module.", "exp_avg."] {
      let path = try safetensors(Self.names.map { "model." + $0 } + Self.names.map { other + $0 })
      let file = try WeightFile(path: path, start: Self.start)
      #expect(try values(file) == [1, 2, 3])
      #expect(other == "exp_avg." || file.notes.contains { $0.contains("more than once") })
    }
    let bare = try WeightFile(
      path: safetensors(Self.names + Self.names.map { "teacher." + $0 }), start: Self.start)
    #expect(try values(bare) == [1, 2, 3])
    #expect(bare.names == Self.names && bare.notes.contains { $0.contains("teacher") })
    let wrapped = try WeightFile(
      path: safetensors(Self.names.map { "module." + $0 } + Self.names), start: Self.start)
    #expect(try values(wrapped) == [4, 5, 6])
    #expect(wrapped.notes.contains { $0.contains("twice") })
  }

  @Test func twoModelsThatAreEquallyMeantAreRefused() throws {
    for (one, other) in [("student.", "teacher."), ("a.model.", "b.model."), ("module.", "_orig_mod.")] {
      let path = try safetensors(Self.names.map { one + $0 } + Self.names.map { other + $0 })
      let error = try #require(throws: DataError.self) { try WeightFile(path: path, start: Self.start) }
      #expect(error.file == path && error.cure != nil)
      #expect("\(error)".contains(one) && "\(error)".contains(other))
    }
  }

  @Test func wholeObjectsAreRefusedByTheirClass() throws {
    for root in [
      TorchFile.call("hero.model", "HeroForVcmr", []),
      TorchFile.dictionary([("model", TorchFile.call("hero.model", "HeroForVcmr", []))]),
    ] {
      try TorchFile(root: root).write(to: folder.path("m.pt"))
      let error = try #require(throws: DataError.self) { try WeightFile(path: folder.path("m.pt")) }
      #expect("\(error)".contains("hero.model.HeroForVcmr") && "\(error)".contains("state_dict"))
    }
  }

  // MARK: Shards

  private func shards() throws -> String {
    try FileManager.default.createDirectory(atPath: folder.path("big"), withIntermediateDirectories: true)
    for (number, name) in Self.names.enumerated() {
      let array = NDArray(floats: [Float(number + 1), 0], shape: [2])
      try Safetensors.write(
        path: folder.path("big/model-0000\(number + 1)-of-00003.safetensors"),
        tensors: [("module." + name, array)])
    }
    return folder.path("big")
  }

  private func index(_ folder: String) throws {
    let map = Self.names.enumerated().map {
      "\"module.\($1)\": \"model-0000\($0 + 1)-of-00003.safetensors\""
    }
    try AtomicFile.write(
      "{\"metadata\": {}, \"weight_map\": {\(map.joined(separator: ", "))}}",
      to: folder + "/model.safetensors.index.json")
  }

  @Test func shardsAreReadByIndexFolderOrName() throws {
    let folder = try shards()
    try index(folder)
    for path in [
      folder, folder + "/model.safetensors.index.json", folder + "/model-00002-of-00003.safetensors",
    ] {
      let file = try WeightFile(path: path, start: Self.start)
      #expect(Set(file.names) == Set(Self.names))
      #expect(try values(file) == [1, 2, 3])
      #expect(file.notes.contains { $0.contains("one of 3 shards") } == path.hasSuffix("3.safetensors"))
    }
  }

  @Test func missingShardsAreNamed() throws {
    let folder = try shards()
    try index(folder)
    try FileManager.default.removeItem(atPath: folder + "/model-00003-of-00003.safetensors")
    for path in [folder, folder + "/model-00001-of-00003.safetensors"] {
      let error = try #require(throws: DataError.self) { try WeightFile(path: path, start: Self.start) }
      #expect("\(error)".contains("model-00003-of-00003.safetensors") && error.cure != nil)
    }
    try FileManager.default.copyItem(
      atPath: folder + "/model-00001-of-00003.safetensors",
      toPath: folder + "/model-00003-of-00003.safetensors")
    for path in [folder, folder + "/model-00001-of-00003.safetensors"] {
      #expect(throws: DataError.self) { try WeightFile(path: path, start: Self.start) }
    }
  }

  @Test func indicesThatLeaveTheirFolderAreRefused() throws {
    for text in ["{}", "{\"weight_map\": {\"a\": \"../secret\"}}", "{\"weight_map\": {\"a\": 1}}", "[]"] {
      let path = folder.path("model.safetensors.index.json")
      try AtomicFile.write(text, to: path)
      #expect(throws: DataError.self) { try WeightFile(path: path) }
    }
    #expect(throws: DataError.self) { try WeightFile(path: folder.path("none")) }
  }

  // MARK: Numbers

  @Test(arguments: [ScalarType.float32, .float16, .bfloat16, .float64], [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsRefusedByName(_ type: ScalarType, _ value: Float) throws {
    let floats = NDArray(floats: [1, 0, value, 3], shape: [4])
    let array: NDArray
    switch type {
    case .float16: array = floats.asFloat16()
    case .float64: array = floats.asFloat64()
    case .bfloat16:
      let upper = floats.floats().map { UInt16($0.bitPattern >> 16) }
      array = try NDArray(shape: [4], type: type, bytes: upper.withUnsafeBytes { [UInt8]($0) })
    default: array = floats
    }
    #expect(array.firstNotFinite == 2)
    let path = folder.path("m.safetensors")
    try Safetensors.write(path: path, tensors: [("a", array), ("b", NDArray(floats: [1], shape: [1]))])
    let file = try WeightFile(path: path)
    #expect(try file.array("b") != nil)
    let error = try #require(throws: DataError.self) { try file.array("a") }
    #expect(error.file == path && error.place?.contains("a") == true)
  }

  @Test func doublesBeyondFloatsAreNotFinite() throws {
    let bytes = [1e300, 1].withUnsafeBytes { [UInt8]($0) }
    #expect(try NDArray(shape: [2], type: .float64, bytes: bytes).firstNotFinite == 0)
    #expect(NDArray(int64s: [.max], shape: [1]).firstNotFinite == nil)
  }

  @Test(arguments: ["safetensors", "bin"]) func aFolderOfShardsNeedsNoIndex(_ ending: String) throws {
    for (number, name) in Self.names.enumerated() {
      let array = NDArray(floats: [Float(number + 1), 0], shape: [2])
      try Safetensors.write(
        path: folder.path("part-0000\(number + 1)-of-00003.\(ending)"), tensors: [(name: name, array: array)])
    }
    for name in ["optimizer.bin", "training_args.bin", "rng_state.pth", "README.md"] {
      try Data("x".utf8).write(to: URL(fileURLWithPath: folder.path(name)))
    }
    let file = try WeightFile(path: folder.root, start: Self.start)
    #expect(Set(file.names) == Set(Self.names))
    #expect(try values(file) == [1, 2, 3])
    #expect(file.notes.count == 1 && file.notes[0].contains("3 shards"))
    try FileManager.default.removeItem(atPath: folder.path("part-00001-of-00003.\(ending)"))
    let error = try #require(throws: DataError.self) { try WeightFile(path: folder.root) }
    #expect(error.problem.contains("part-00001-of-00003"))
  }

  @Test func theOnlyFileOfAFolderIsTakenAndOfSeveralNone() throws {
    _ = try safetensors(Self.names, "weights.safetensors")
    _ = try safetensors(Self.names, "of-another-form.bin")
    let file = try WeightFile(path: folder.root, start: Self.start)
    #expect(try values(file) == [1, 2, 3])
    #expect(file.notes.first?.contains("weights.safetensors") == true)
    _ = try safetensors(Self.names, "more.safetensors")
    let error = try #require(throws: DataError.self) { try WeightFile(path: folder.root) }
    #expect(error.problem.contains("more.safetensors, weights.safetensors"))
    let nothing = try TemporaryFolder()
    #expect(throws: DataError.self) { try WeightFile(path: nothing.root) }
  }

  /// Whole numbers are refused: quantized weights read as plain numbers would be another model's.
  @Test(arguments: [ScalarType.int8, .uint8, .int32, .bool]) func wholeNumbersAreNoWeights(_ type: ScalarType)
    throws
  {
    let array = try NDArray(shape: [2], type: type, bytes: [UInt8](repeating: 1, count: 2 * type.size))
    try Safetensors.write(path: folder.path("m"), tensors: [(name: "v.a.weight", array: array)])
    let file = try WeightFile(path: folder.path("m"), start: Self.start)
    let error = try #require(throws: DataError.self) { try file.array("v.a.weight") }
    #expect(error.place == "parameter \"v.a.weight\"" && error.problem.contains("is of \(type)"))
  }
}

extension [UInt8] {
  /// Returns the pickle with another module for torch's classes.
  fileprivate func withModule(_ module: String) -> [UInt8] {
    let text = String(decoding: self, as: UTF8.self)
    return Array(text.replacingOccurrences(of: "ctorch\n", with: "c\(module)\n").utf8)
  }
}
