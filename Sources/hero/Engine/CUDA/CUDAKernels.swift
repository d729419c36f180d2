import CCUDA
import Foundation

/// The kernels, by the names of their sources: `layerNorm` is `layer_norm`.
enum CUDAKernel: Int, CaseIterable {
  case fill, copy, halves, bias, slope, slopeSums, columnSums, addParts, sumElements, addTotal
  case gatherSum, scatterCount, scatterParts, scatterAdd, transpose
  case layerNorm, layerNormWide, layerNormBackward, layerNormBackwardWide
  case normalizeRows, normalizeRowsBackward, top
  case crossEntropy, segmentCrossEntropy, binaryCrossEntropy, rowDistances
  case rankingRanks, rankingLosses, rankingGradient
  case softmaxPool, softmaxPoolBackward, segmentMax, segmentMaxBackward
  case pairDot, pairDotQueries, pairDotRows, convolve, convolveRows, convolveKernel, segmentSoftmax
  case thinProduct, update, stepAttention, appendNumbers
  case attentionShort, attentionShortBackward, attentionForward, attentionQueries, attentionKeys

  /// Returns the kernels that a program of this precision has.
  static func all(in precision: Precision) -> [CUDAKernel] {
    precision == .bf16 ? allCases : allCases.filter { $0 != .thinProduct }
  }

  /// The head widths that an attention's kernel is compiled for, in columns; [0] for other kernels.
  var headWidths: [Int] {
    hasShortSequences || [.attentionForward, .attentionQueries, .attentionKeys].contains(self)
      ? CUDAProgram.headWidths : [0]
  }

  /// Whether each block takes one head of a whole sequence.
  var hasShortSequences: Bool { self == .attentionShort || self == .attentionShortBackward }

  /// Returns its place among the functions of a program.
  func place(headWidth: Int) -> Int {
    rawValue * CUDAProgram.headWidths.count + (CUDAProgram.headWidths.firstIndex(of: headWidth) ?? 0)
  }

  /// The number of places of all kernels.
  static var places: Int { allCases.count * CUDAProgram.headWidths.count }

  /// Returns its name in a program, such as `attention_keys_bf16_64`.
  func name(_ precision: Precision, headWidth: Int) -> String {
    var name = ""
    for letter in "\(self)" { name += letter.isUppercase ? "_" + letter.lowercased() : String(letter) }
    return headWidth > 0 ? "\(name)_\(precision == .bf16 ? "bf16" : "fp32")_\(headWidth)" : name
  }
}

/// The kernels as one program, compiled by NVRTC for one device and kept on disk.
struct CUDAProgram {
  static let headWidths = [64, 128]

  let source: [(name: String, text: String)]
  let options: [String]

  /// - Parameters:
  ///   - architecture: the device's number, such as 90 for compute capability 9.0.
  ///   - verbose: whether the compiler reports the registers and memory of each kernel.
  init(architecture: Int, precision: Precision, verbose: Bool = false) {
    var count: Int32 = 0
    let sources = hero_cuda_sources(&count)
    source = (0..<Int(count)).map { number in
      guard let entry = sources?[number], let name = entry.name, let text = entry.text else {
        preconditionFailure("a kernel's source is missing")
      }
      return (String(cString: name), String(cString: text))
    }
    options =
      ["--gpu-architecture=sm_\(architecture)", "--std=c++17"]
      + (precision == .bf16 ? ["--define-macro=HERO_BF16"] : []) + (verbose ? ["--ptxas-options=-v"] : [])
  }

  /// Compiles the kernels into machine code for the device.
  /// - Returns: the code and the compiler's log.
  /// - Throws: `EngineError` with the compiler's log.
  func compile(_ functions: hero_cuda_functions) throws -> (binary: [UInt8], log: String) {
    let included = source.dropFirst()
    var program: UnsafeMutableRawPointer?
    var failure = Self.withStrings(included.map(\.text)) { texts in
      Self.withStrings(included.map(\.name)) { names in
        functions.program_create(
          &program, source[0].text, source[0].name, Int32(included.count), texts, names)
      }
    }
    defer { if program != nil { _ = functions.program_destroy(&program) } }
    guard failure == 0 else { throw EngineError("NVRTC failed with error \(failure)") }
    failure = Self.withStrings(options) { functions.program_compile(program, Int32(options.count), $0) }
    let log = Self.read(program, functions.program_log_size, functions.program_log)
    let text = String(decoding: log.prefix { $0 != 0 }, as: UTF8.self)
    guard failure == 0 else { throw EngineError("NVRTC could not compile the kernels:\n\(text)") }
    return (Self.read(program, functions.program_binary_size, functions.program_binary), text)
  }

  /// Loads the machine code that an earlier run cached, or compiles and caches it.
  ///
  /// Cached code that is damaged, or another driver's, does not load. It is compiled again and
  /// overwritten.
  /// - Parameters:
  ///   - cache: the folder for the code; nil for none.
  ///   - load: loads machine code; throws if that fails.
  func load<Result>(
    _ functions: hero_cuda_functions, cache: URL?, _ load: ([UInt8]) throws -> Result
  ) throws -> Result {
    var (major, minor): (Int32, Int32) = (0, 0)
    guard functions.compiler_version(&major, &minor) == 0 else { throw EngineError("NVRTC has no version") }
    guard let folder = cache else { return try load(try compile(functions).binary) }
    let parts = source.flatMap { [$0.name, $0.text] } + options + ["\(major).\(minor)"]
    let file = folder.appending(path: "kernels-\(Self.hash(parts)).cubin")
    if let kept = try? Data(contentsOf: file), !kept.isEmpty, let loaded = try? load([UInt8](kept)) {
      return loaded
    }
    let binary = try compile(functions).binary
    let loaded = try load(binary)
    // If the code cannot be written, the next run compiles it again.
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try? Data(binary).write(to: file, options: .atomic)
    return loaded
  }

  /// `$XDG_CACHE_HOME/hero`, or `~/.cache/hero`.
  static var cacheFolder: URL? {
    let environment = ProcessInfo.processInfo.environment
    if let cache = environment["XDG_CACHE_HOME"], !cache.isEmpty {
      return URL(filePath: cache).appending(path: "hero")
    }
    return environment["HOME"].map { URL(filePath: $0).appending(path: ".cache/hero") }
  }

  /// Returns the FNV-1a hash of all parts and their ends, in hexadecimal.
  static func hash(_ parts: [String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for part in parts {
      for byte in Array(part.utf8) + [0] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
    return String(hash, radix: 16)
  }

  private static func read(
    _ program: UnsafeMutableRawPointer?,
    _ size: (UnsafeMutableRawPointer?, UnsafeMutablePointer<Int>?) -> Int32,
    _ copy: (UnsafeMutableRawPointer?, UnsafeMutablePointer<CChar>?) -> Int32
  ) -> [UInt8] {
    var count = 0
    guard size(program, &count) == 0 else { return [] }
    var bytes = [CChar](repeating: 0, count: count)
    guard copy(program, &bytes) == 0 else { return [] }
    return bytes.map { UInt8(bitPattern: $0) }
  }

  private static func withStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
  ) -> Result {
    let copies = strings.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return copies.map { $0.map { UnsafePointer($0) } }.withUnsafeBufferPointer { body($0.baseAddress) }
  }
}
