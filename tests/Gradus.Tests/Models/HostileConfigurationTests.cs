using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Tests.Files;
using Gradus.Tests.Generation;

namespace Gradus.Tests.Models;

/// <summary>A config.json that lies about a model: every value of every architecture, by others that somebody could write there.</summary>
public sealed class HostileConfigurationTests : IDisposable
{
    private static readonly string[] Lies = ["0", "-1", "2147483647", "1073741824", "4194304", "9007199254740993", "1e300", "null", "true", "\"x\"", "[]", "[2147483647]", "{}"];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Models => [.. TinyModels.Names];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void AnyValueGivesAModelOrOneLine(string name)
    {
        string model = _folder["model"], file = Path.Combine(model, Checkpoint.ConfigFile);
        using (LanguageModel made = TinyModels.Make(name, CpuDevice.Default))
        using (AtomicFolder target = AtomicFolder.Begin(model))
        {
            Checkpoint.Write(target, made);
            target.Commit();
        }
        JsonObject config = Checkpoint.ReadObject(file);
        foreach (string key in config.Select(p => p.Key).ToArray())
        {
            foreach (string lie in Lies)
            {
                JsonObject lying = (JsonObject)config.DeepClone();
                lying[key] = JsonNode.Parse(lie);
                File.WriteAllText(file, lying.ToJsonString());
                long before = GC.GetAllocatedBytesForCurrentThread();
                try
                {
                    Checkpoint.Load(model, CpuDevice.Default, keepStoredType: true).Dispose();
                }
                catch (InvalidDataException e)
                {
                    Assert.True(!e.Message.Contains('\n') && e.Message.Length is > 20 and < 900, $"{key}={lie}: {e.Message}");
                }
                catch (Exception e) when (e is not Xunit.Sdk.XunitException)
                {
                    Assert.Fail($"{key}={lie}: {e}");
                }
                long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated < 64_000_000, $"{key}={lie}: {allocated} bytes allocated");
            }
        }
    }
}
