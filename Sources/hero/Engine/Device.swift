import CCUDA

/// The devices that hero computes on.
public enum Device {
  /// The values that `--device` takes; a number after `cuda:` selects one of several GPUs.
  public static let names = ["auto", "cpu", "cuda", "cuda:N"]

  /// A device of this machine, or one that it lacks and the reason.
  public struct Description: Sendable {
    /// The name as `--device` takes it, such as `cuda:1`, or a library's name, such as `nccl`.
    public let name: String
    /// A description; for an unusable device, what is missing and how to get it.
    public let text: String
    /// Whether hero can use it.
    public let isUsable: Bool
  }

  private enum Kind {
    case automatic, cpu
    /// A GPU by its number; nil for the one that falls to this process.
    case cuda(Int?)

    init?(_ name: String) {
      switch name {
      case "auto": self = .automatic
      case "cpu": self = .cpu
      case "cuda": self = .cuda(nil)
      default:
        let digits = name.dropFirst(5)
        guard name.hasPrefix("cuda:"), digits.count <= 4, digits.allSatisfy(\.isNumber),
          let number = Int(digits)
        else { return nil }
        self = .cuda(number)
      }
    }
  }

  /// Returns whether `open` knows the name.
  public static func isName(_ name: String) -> Bool { Kind(name) != nil }

  /// Opens a device by its name.
  /// - Parameters:
  ///   - name: `cpu`, `cuda`, `cuda:N`, or `auto` for a GPU if it can be used, else the CPU.
  ///   - precision: the device's precision; nil for bf16 where the device multiplies in it, else
  ///     fp32.
  ///   - threads: the CPU's threads; by default the environment's number, else all that this
  ///     process may use.
  ///   - place: the number of this process among those of a job on this machine, each of which
  ///     takes the next GPU.
  /// - Throws: `EngineError` for an unknown name, a device that this machine lacks (with the
  ///   missing part), a precision that the device lacks, or a `HERO_CUDA_TIMING` other than 0 or 1.
  public static func open(
    _ name: String = "auto", precision: Precision? = .fp32, threads: Int? = nil, place: Int = 0
  ) throws -> any Backend {
    switch Kind(name) {
    case .cpu: return try openCPU(precision, threads)
    case .cuda(let ordinal):
      return try openCUDA(ordinal, place, precision, timesProducts: CUDAChoices.areWanted())
    case .automatic:
      // No GPU computes in int8.
      if precision == .int8 { return try openCPU(precision, threads) }
      let timesProducts = try CUDAChoices.areWanted()
      // `list` tells why there is no GPU, and so does asking for one by name.
      do {
        return try openCUDA(nil, place, precision, timesProducts: timesProducts)
      } catch is EngineError {
        return try openCPU(precision, threads)
      }
    case nil:
      throw EngineError("there is no device \"\(name)\"; --device takes \(names.joined(separator: ", "))")
    }
  }

  private static func openCPU(_ precision: Precision?, _ threads: Int?) throws -> CPUBackend {
    let fastest = CPUBackend.multipliesBF16 ? Precision.bf16 : .fp32
    return try CPUBackend(threads: threads, precision: precision ?? fastest)
  }

  private static func openCUDA(
    _ ordinal: Int?, _ place: Int, _ precision: Precision?, timesProducts: Bool
  ) throws -> CUDABackend {
    let functions = try CUDALibraries.open().functions
    let ordinal = try ordinal ?? CUDAStream.ordinal(functions, place: place)
    func open(_ precision: Precision) throws -> CUDABackend {
      try CUDABackend(
        functions, ordinal: ordinal, precision: precision, cache: CUDAProgram.cacheFolder,
        timesProducts: timesProducts)
    }
    if let precision { return try open(precision) }
    // If something other than bf16 prevents opening, opening in fp32 reports it.
    return try (try? open(.bf16)) ?? open(.fp32)
  }

  /// Lists the machine's devices and what is missing for others.
  public static func list() -> [Description] {
    var list: [Description] = []
    do {
      var precisions = "fp32 (bf16 needs AVX512-BF16)"
      if CPUBackend.multipliesBF16 { precisions = "fp32 and bf16" }
      if CPUBackend.multipliesInt8 { precisions = "fp32, bf16 and int8" }
      list.append(
        Description(name: "cpu", text: "\(try CPUBackend().summary), \(precisions)", isUsable: true))
    } catch {
      list.append(Description(name: "cpu", text: "\(error)", isUsable: false))
    }
    let (driver, problems) = CUDALibraries.survey()
    list += problems.map { Description(name: "cuda", text: $0, isUsable: false) }
    if let driver { list += CUDAStream.devices(driver, canCompute: problems.isEmpty) }
    var functions = driver ?? hero_cuda_functions()
    // GPUs compute without NCCL.
    let problem = CUDALibraries.openRanks(&functions)
    list.append(
      Description(
        name: "nccl",
        text: problem ?? "\(CUDARanks.version(functions)), between the GPUs of several processes",
        isUsable: problem == nil))
    return list
  }
}
