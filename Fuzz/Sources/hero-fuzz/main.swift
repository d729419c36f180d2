import Foundation

/// libFuzzer's loop, without its own `main`.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

// The reader to test is named by the environment: libFuzzer starts the program anew without further
// words.
let name = ProcessInfo.processInfo.environment["HERO_FUZZ_TARGET"] ?? ""
guard let chosen = Target.all[name] else {
  for name in Target.all.keys.sorted() { print(name) }
  exit(name.isEmpty ? 0 : 2)
}
nonisolated(unsafe) let target = chosen

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
exit(
  runFuzzer(&count, &arguments) { bytes, count in
    target.test([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
    return 0
  })
