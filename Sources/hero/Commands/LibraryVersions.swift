import CFFmpeg
import Engine
import Foundation
import Vision

/// The versions of the libraries that the program has opened on this machine.
enum LibraryVersions {
  /// Returns a line for each library, with `absent` if it cannot be opened.
  static func lines() -> [String] {
    // Listing devices opens OpenBLAS and NVIDIA's libraries if they exist.
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

  /// Returns the versions of the MPIs that the plugins beside the program were compiled for.
  private static func mpi() -> String? {
    let program = Bundle.main.executablePath ?? CommandLine.arguments[0]
    let found = MPILaunch.Library.allCases.compactMap { library -> String? in
      typealias Function =
        @convention(c) (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32
      // The longest text of any MPI is MPICH's, with 8192 bytes.
      var (text, count) = ([CChar](repeating: 0, count: 16384), Int32(0))
      guard let handle = dlopen(MPILaunch.plugin(library, program: program), RTLD_LAZY | RTLD_LOCAL),
        let symbol = dlsym(handle, "MPI_Get_library_version"),
        unsafeBitCast(symbol, to: Function.self)(&text, &count) == 0
      else { return nil }
      // MPICH separates words by tabs and continues for several lines.
      let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return words.prefix { $0 != "," && $0 != "\n" }.split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
    }
    return found.isEmpty ? nil : found.joined(separator: "; ")
  }

  /// The OpenBLAS of a release, or the system's.
  private static var openBLAS: UnsafeMutableRawPointer? {
    loaded("libhero-openblas.so.0") ?? loaded("libopenblas.so.0")
  }

  /// Returns a library that is already open.
  private static func loaded(_ name: String) -> UnsafeMutableRawPointer? {
    dlopen(name, RTLD_NOW | RTLD_NOLOAD)
  }

  /// Returns the text from a function of a library, or of the program's linked libraries if
  /// `library` is nil.
  ///
  /// LMDB's function takes three pointers to numbers, which may be null. The others take no
  /// arguments and ignore them.
  private static func call(_ name: String, in library: UnsafeMutableRawPointer?) -> String? {
    typealias Function = @convention(c) (Int, Int, Int) -> UnsafePointer<CChar>?
    guard let symbol = dlsym(library, name) else { return nil }
    return unsafeBitCast(symbol, to: Function.self)(0, 0, 0).map { String(cString: $0) }
  }
}
