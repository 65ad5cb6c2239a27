using Gradus.Tensors;

namespace Gradus.Testing;

/// <summary>The devices that tests run on, by name.</summary>
public static class TestDevices
{
    /// <summary>All names that can be had on this machine.</summary>
    public static IEnumerable<string> Names => ["reference"];

    /// <summary>The device of a name.</summary>
    public static Device Get(string name) => ReferenceDevice.Instance;
}
