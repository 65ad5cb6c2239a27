using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Testing;

/// <summary>The devices that tests run on, by name: the reference, and the processor with each instruction set this machine has.</summary>
public static class TestDevices
{
    private static readonly Lazy<Workers> Pool = new(() => new Workers(3));
    private static readonly Dictionary<string, Device> Made = [];

    /// <summary>All names.</summary>
    public static IEnumerable<string> Names => ["reference", .. CpuNames];

    /// <summary>The names of the processor's devices.</summary>
    public static IEnumerable<string> CpuNames => CpuFeatures.Available.Select(i => i.ToString());

    /// <summary>The device of a name; the processor's use three threads, whatever the machine has.</summary>
    public static Device Get(string name)
    {
        lock (Made)
        {
            if (!Made.TryGetValue(name, out Device? device))
                Made[name] = device = name == "reference" ? ReferenceDevice.Instance : CpuDevice.Create(Enum.Parse<Isa>(name), Pool.Value);
            return device;
        }
    }
}
