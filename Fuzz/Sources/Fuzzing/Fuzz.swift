import Foundation

/// libFuzzer's loop, without its own `main`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

nonisolated(unsafe) private var chosen: Target!

/// Runs libFuzzer on the target that `HERO_FUZZ_TARGET` names, or prints the targets' names.
///
/// libFuzzer restarts the program without further arguments, so no argument can name the target.
package func fuzz(_ targets: [String: Target]) -> Never {
  let name = ProcessInfo.processInfo.environment["HERO_FUZZ_TARGET"] ?? ""
  chosen = targets[name]
  if chosen == nil {
    for name in targets.keys.sorted() { print(name) }
    exit(name.isEmpty ? 0 : 2)
  }
  var count = CommandLine.argc
  var arguments = CommandLine.unsafeArgv
  exit(
    runFuzzer(&count, &arguments) { bytes, count in
      chosen.test([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
      return 0
    })
}
