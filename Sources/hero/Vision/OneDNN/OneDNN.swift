import CDNNL
import Formats
import Foundation

/// How a network's products are computed. Sums are float32 in both.
public enum NetworkPrecision: String, Sendable, CaseIterable {
  case float32 = "fp32"
  /// Weights and what goes from layer to layer are rounded to 8 bits of mantissa.
  case bfloat16 = "bf16"

  /// The faster of the two on this processor.
  ///
  /// Throws `DataError` where oneDNN is not installed.
  public static func fastest() throws -> NetworkPrecision {
    try OneDNN.load()
    return hero_dnnl_has_bfloat16() ? .bfloat16 : .float32
  }

  /// Whether this processor computes networks so. False where oneDNN is not installed.
  public var isComputedHere: Bool {
    guard (try? OneDNN.load()) != nil else { return false }
    return self == .float32 || hero_dnnl_computes_bfloat16()
  }

  /// - Throws: `DataError` where oneDNN is not installed, or has no such products for this
  ///   processor.
  public func require() throws {
    try OneDNN.load()
    guard isComputedHere else {
      throw DataError(
        "oneDNN \(try OneDNN.summary()), does not compute networks in \(rawValue) on this processor",
        cure: "Give --precision fp32, or auto")
    }
  }

  var element: hero_element { self == .bfloat16 ? HERO_BFLOAT16 : HERO_FLOAT32 }
}

/// The library that the networks' products run on.
public enum OneDNN {
  /// Opens it; its threads are `HERO_NUM_THREADS`, or as many as OpenMP finds.
  ///
  /// Throws `DataError` where it is not installed.
  public static func load() throws {
    let threads = ProcessInfo.processInfo.environment["HERO_NUM_THREADS"].flatMap { Int32($0) } ?? 0
    if let problem = hero_dnnl_load(max(0, threads)) {
      throw DataError(
        "oneDNN could not be loaded (\(String(cString: problem)))",
        cure: "Install it: apt-get install libdnnl-dev")
    }
  }

  /// Its version and the instructions it uses.
  public static func summary() throws -> String {
    try load()
    return String(cString: hero_dnnl_summary())
  }

  static func problem() -> DataError { DataError(String(cString: hero_dnnl_problem())) }
}
