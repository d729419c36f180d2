import CFFmpeg
import Engine
import Foundation
import Vision

/// The libraries that the program runs with here, each as it was opened.
enum LibraryVersions {
  /// A line for each, `absent` where it cannot be opened.
  static func lines() -> [String] {
    // Opens OpenBLAS and NVIDIA's libraries where they are.
    let devices = Device.list()
    let graphics = devices.filter { $0.isUsable && $0.name != "cpu" }
    return [
      "Swift: compiled by \(compiler)",
      line("OpenBLAS", call("openblas_get_config", in: openBLAS)),
      line("oneDNN", try? OneDNN.summary()),
      line("FFmpeg", ffmpeg()),
      line("LMDB", call("mdb_version", in: nil)),
      line("zstd", call("ZSTD_versionString", in: nil)),
      line("LZ4", call("LZ4_versionString", in: nil)),
      line("libzip", call("zip_libzip_version", in: nil)),
      line("CUDA", graphics.isEmpty ? nil : graphics.map { "\($0.name) \($0.text)" }.joined(separator: "; ")),
      line("MPI", mpi()),
    ]
  }

  private static var compiler: String {
    #if compiler(>=6.3)
      "6.3 or later"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }

  private static func line(_ title: String, _ version: String?) -> String {
    "\(title): \(version ?? "absent")"
  }

  private static func ffmpeg() -> String? {
    guard hero_ffmpeg_load() == nil else { return nil }
    return String(cString: hero_ffmpeg_version())
  }

  /// What the MPIs call themselves that the plugins beside the program were compiled for.
  private static func mpi() -> String? {
    let program = Bundle.main.executablePath ?? CommandLine.arguments[0]
    let found = MPILaunch.Library.allCases.compactMap { library -> String? in
      typealias Function =
        @convention(c) (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32
      // No MPI's text is longer: MPICH has the largest, of 8192.
      var (text, count) = ([CChar](repeating: 0, count: 16384), Int32(0))
      guard let handle = dlopen(MPILaunch.plugin(library, program: program), RTLD_LAZY | RTLD_LOCAL),
        let symbol = dlsym(handle, "MPI_Get_library_version"),
        unsafeBitCast(symbol, to: Function.self)(&text, &count) == 0
      else { return nil }
      // MPICH parts the words by tabs and goes on for lines.
      let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return words.prefix { $0 != "," && $0 != "\n" }.split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
    }
    return found.isEmpty ? nil : found.joined(separator: "; ")
  }

  /// A release's own, or the system's.
  private static var openBLAS: UnsafeMutableRawPointer? {
    loaded("libhero-openblas.so.0") ?? loaded("libopenblas.so.0")
  }

  /// A library that is open already.
  private static func loaded(_ name: String) -> UnsafeMutableRawPointer? {
    dlopen(name, RTLD_NOW | RTLD_NOLOAD)
  }

  /// The text that a function of a library gives; of those that the program is linked with where
  /// none is given.
  ///
  /// LMDB's takes three places for numbers, which may be null; the others take nothing, and leave
  /// them alone.
  private static func call(_ name: String, in library: UnsafeMutableRawPointer?) -> String? {
    typealias Function = @convention(c) (Int, Int, Int) -> UnsafePointer<CChar>?
    guard let symbol = dlsym(library, name) else { return nil }
    return unsafeBitCast(symbol, to: Function.self)(0, 0, 0).map { String(cString: $0) }
  }
}
