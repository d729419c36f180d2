import ArgumentParser
import Engine

/// `hero devices`: lists the values of `--device` on this machine.
struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "List the devices of this machine, and what is missing for those that cannot be used.",
    discussion: """
      A GPU needs NVIDIA's driver, NVRTC and cuBLASLt. They are looked for in the folders of HERO_CUDA_PATH (with colons \
      between them), where the system looks, and in the nvidia-* packages of Python's site-packages.
      """)

  func run() {
    for device in Device.list() {
      print("\(device.isUsable ? "+" : "-") \(device.name): \(device.text)")
    }
  }
}
