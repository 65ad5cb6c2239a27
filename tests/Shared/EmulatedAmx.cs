using System.Runtime.CompilerServices;

namespace Gradus.Testing;

/// <summary>Lets the kernels for AMX run on a CPU without it, where <c>tests/amx/run</c> preloaded its emulator into the process.</summary>
internal static class EmulatedAmx
{
#pragma warning disable CA2255 // the switch must be set before anything asks which instruction sets there are
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Announce()
    {
        if (Environment.GetEnvironmentVariable("GRADUS_EMULATED_AMX") == "1")
            AppContext.SetSwitch("Gradus.Tensors.AmxIsEmulated", true);
    }
}
