import CDNNL
import Formats
import Foundation

/// The precision of a network's products; sums are float32 in both cases.
public enum NetworkPrecision: String, Sendable, CaseIterable {
  case float32 = "fp32"
  /// Products of weights and activations that are rounded to 8 bits of mantissa.
  case bfloat16 = "bf16"

  /// Returns the faster of the two on this processor.
  ///
  /// Throws `DataError` if oneDNN is not installed.
  public static func fastest() throws -> NetworkPrecision {
    try OneDNN.load()
    return hero_dnnl_has_bfloat16() ? .bfloat16 : .float32
  }

  /// Whether networks run in this precision here; false if oneDNN is not installed.
  public var isComputedHere: Bool {
    guard (try? OneDNN.load()) != nil else { return false }
    return self == .float32 || hero_dnnl_computes_bfloat16()
  }

  /// Checks that networks run in this precision here.
  ///
  /// - Throws: `DataError` if oneDNN is not installed, or lacks such products for this processor.
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

/// The library that computes the networks' products.
public enum OneDNN {
  /// Loads oneDNN, with `HERO_NUM_THREADS` threads, or as many as OpenMP finds.
  ///
  /// Throws `DataError` if oneDNN is not installed.
  public static func load() throws {
    let threads = ProcessInfo.processInfo.environment["HERO_NUM_THREADS"].flatMap { Int32($0) } ?? 0
    if let problem = hero_dnnl_load(max(0, threads)) {
      throw DataError(
        "oneDNN could not be loaded (\(String(cString: problem)))",
        cure: "Install it: apt-get install libdnnl-dev")
    }
  }

  /// Returns oneDNN's version and the instruction set that it uses.
  public static func summary() throws -> String {
    try load()
    return String(cString: hero_dnnl_summary())
  }

  static func problem() -> DataError { DataError(String(cString: hero_dnnl_problem())) }
}
