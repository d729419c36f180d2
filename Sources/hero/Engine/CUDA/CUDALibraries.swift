import CCUDA
import Foundation

/// NVIDIA's libraries, opened on demand: the driver, NVRTC, cuBLASLt and, if installed, NCCL.
struct CUDALibraries: @unchecked Sendable {
  /// The libraries' functions; those of NCCL are nil if it is not installed.
  let functions: hero_cuda_functions

  /// One library: its name, and how to get it.
  private struct Wanted {
    let library: hero_cuda_library
    let title: String
    let names: [String]
    /// The folders of PyPI's `nvidia-*` wheels that may have it.
    let wheels: [String]
    let cure: String
  }

  private static let wanted = [
    Wanted(
      library: HERO_CUDA_DRIVER, title: "NVIDIA's driver", names: ["libcuda.so.1"], wheels: [],
      cure: "install NVIDIA's driver, 525 or later"),
    Wanted(
      library: HERO_CUDA_COMPILER, title: "NVRTC", names: ["libnvrtc.so.12", "libnvrtc.so.13"],
      wheels: ["cuda_nvrtc", "cu13"],
      cure: "pip install nvidia-cuda-nvrtc-cu12, or name its folder in HERO_CUDA_PATH"),
    Wanted(
      library: HERO_CUDA_PRODUCTS, title: "cuBLASLt", names: ["libcublasLt.so.12", "libcublasLt.so.13"],
      wheels: ["cublas", "cu13"], cure: "pip install nvidia-cublas-cu12, or name its folder in HERO_CUDA_PATH"
    ),
  ]

  private static let ranks = Wanted(
    library: HERO_CUDA_RANKS, title: "NCCL", names: ["libnccl.so.2"], wheels: ["nccl"],
    cure: "pip install nvidia-nccl-cu12, or name its folder in HERO_CUDA_PATH")

  /// Opens the libraries that computing needs, and NCCL if it is installed.
  /// - Throws: `EngineError` saying what is missing, where it was looked for and what to do.
  static func open(environment: [String: String] = ProcessInfo.processInfo.environment) throws
    -> CUDALibraries
  {
    var functions = hero_cuda_functions()
    for wanted in wanted { try open(wanted, environment, &functions) }
    _ = openRanks(&functions, environment: environment)
    return CUDALibraries(functions: functions)
  }

  /// Opens NCCL.
  /// - Returns: nil, or why it cannot be used.
  static func openRanks(
    _ functions: inout hero_cuda_functions,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    // If the library lacks a function, none of its functions is used.
    var opened = functions
    do {
      try open(ranks, environment, &opened)
    } catch {
      return "\(error)"
    }
    functions = opened
    return nil
  }

  /// Opens what can be opened, and tells what cannot and why.
  /// - Returns: the functions, or nil without the driver; and the problems.
  static func survey(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> (functions: hero_cuda_functions?, problems: [String]) {
    var (functions, problems, hasDriver) = (hero_cuda_functions(), [String](), false)
    for wanted in wanted {
      do {
        try open(wanted, environment, &functions)
        if wanted.library == HERO_CUDA_DRIVER { hasDriver = true }
      } catch {
        problems.append("\(error)")
      }
    }
    return (hasDriver ? functions : nil, problems)
  }

  /// Opens NVRTC alone, which needs no GPU.
  static func openCompiler(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> CUDALibraries {
    var functions = hero_cuda_functions()
    try open(wanted[1], environment, &functions)
    return CUDALibraries(functions: functions)
  }

  private static func open(
    _ wanted: Wanted, _ environment: [String: String], _ functions: inout hero_cuda_functions
  ) throws {
    var problems: [String] = []
    for file in candidates(wanted, environment) {
      var problem = [CChar](repeating: 0, count: 512)
      if hero_cuda_open(&functions, wanted.library, file, &problem, problem.count) == 1 { return }
      // For missing files, the error's list of places says enough.
      if FileManager.default.fileExists(atPath: file) {
        let text = String(decoding: problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        problems.append("\(file): \(text)")
      }
    }
    let places = ["the system's libraries"] + folders(wanted, environment)
    let found = problems.isEmpty ? "" : " (\(problems.joined(separator: "; ")))"
    throw EngineError(
      "\(wanted.title) cannot be used\(found): looked for \(wanted.names.joined(separator: ", ")) in "
        + "\(places.joined(separator: ", ")); \(wanted.cure)")
  }

  /// Returns the files to try: in the user's folders, where the system looks, in wheels.
  private static func candidates(_ wanted: Wanted, _ environment: [String: String]) -> [String] {
    let named = namedFolders(environment).flatMap { folder in wanted.names.map { "\(folder)/\($0)" } }
    let rest = wheelFolders(wanted, environment).flatMap { folder in wanted.names.map { "\(folder)/\($0)" } }
    return (named + wanted.names + rest).filter {
      !$0.contains("/") || FileManager.default.fileExists(atPath: $0)
    }
  }

  private static func folders(_ wanted: Wanted, _ environment: [String: String]) -> [String] {
    namedFolders(environment) + wheelFolders(wanted, environment)
  }

  private static func namedFolders(_ environment: [String: String]) -> [String] {
    (environment["HERO_CUDA_PATH"] ?? "").split(separator: ":").flatMap {
      ["\($0)", "\($0)/lib64", "\($0)/lib"]
    }
  }

  /// Returns CUDA's own folder, then the `lib` folders of wheels in the site-packages of an active
  /// environment, of the user and of the system.
  private static func wheelFolders(_ wanted: Wanted, _ environment: [String: String]) -> [String] {
    var roots: [String] = []
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
      if let root = environment[name] { roots.append("\(root)/lib") }
    }
    if let home = environment["HOME"] { roots.append("\(home)/.local/lib") }
    roots += ["/usr/local/lib", "/usr/lib"]
    let packages = roots.flatMap { root in
      let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
      return versions.filter { $0.hasPrefix("python3") }.sorted().flatMap { version in
        ["site-packages", "dist-packages"].map { "\(root)/\(version)/\($0)" }
      }
    }
    let folders = packages.flatMap { folder in wanted.wheels.map { "\(folder)/nvidia/\($0)/lib" } }
    return ["/usr/local/cuda/lib64"] + folders.filter { FileManager.default.fileExists(atPath: $0) }
  }
}
