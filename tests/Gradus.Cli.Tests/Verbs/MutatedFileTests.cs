using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Hundreds of damaged files through the verbs that read models: each works, or says in one line what is wrong.</summary>
public sealed class MutatedFileTests(SmallModel models) : IClassFixture<SmallModel>
{
    private static readonly string[] Values =
        ["null", "-1", "0", "1", "3", "1e999", "0.5", "4294967295", "4294967296", "18446744073709551615", "9223372036854775807", "\"x\"", "[]", "[2, 2]", "{}", "true", "false", "NaN"];

    [Fact]
    public void BytesOfAGguf() => Bytes("gguf", File.ReadAllBytes(SmallGguf.Write(models["bytes.gguf"])), 90, bytes => models.WriteFile("mutated.gguf", bytes));

    [Fact]
    public void BytesOfSafetensors()
    {
        string folder = models.Copy("mutated-weights"), weights = Path.Combine(folder, "model.safetensors");
        Bytes("safetensors", File.ReadAllBytes(weights), 60, bytes =>
        {
            File.WriteAllBytes(weights, bytes);
            return folder;
        });
    }

    [Fact]
    public void BytesOfAConfiguration()
    {
        string folder = models.Copy("mutated-config"), config = Path.Combine(folder, "config.json");
        Bytes("config", File.ReadAllBytes(config), 60, bytes =>
        {
            File.WriteAllBytes(config, bytes);
            return folder;
        });
    }

    [Fact]
    public void ValuesOfAConfiguration()
    {
        string folder = models.Copy("odd-config"), config = Path.Combine(folder, "config.json");
        JsonObject whole = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        Random random = new(1);
        foreach (string key in whole.Select(p => p.Key).ToArray())
        {
            foreach (string value in random.GetItems(Values, 3))
            {
                string text = whole.ToJsonString();
                string old = $"{JsonSerializer.Serialize(key)}:{whole[key]?.ToJsonString() ?? "null"}";
                Assert.Contains(old, text, StringComparison.Ordinal);
                File.WriteAllText(config, text.Replace(old, $"{JsonSerializer.Serialize(key)}:{value}", StringComparison.Ordinal));
                InProcess.EveryVerbFinishes(folder, models["written"], $"{key}: {value}");
            }
        }
    }

    [Fact]
    public void ValuesOfASafetensorsHeader()
    {
        string folder = models.Copy("odd-header"), weights = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Random random = new(2);
        for (int round = 0; round < 40; round++)
        {
            JsonObject header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
            string name = random.GetItems(header.Select(p => p.Key).Where(k => k != "__metadata__").ToArray(), 1)[0];
            string field = random.GetItems((string[])["dtype", "shape", "data_offsets", ""], 1)[0];
            string value = field == "dtype" && random.Next(2) == 0 ? "\"F8_E4M3\"" : random.GetItems(Values.Where(v => v is not ("1e999" or "NaN")).ToArray(), 1)[0];
            if (field.Length == 0)
                header[name] = JsonNode.Parse(value);
            else
                header[name]![field] = JsonNode.Parse(value);
            byte[] written = Encoding.UTF8.GetBytes(header.ToJsonString()), prefix = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(prefix, written.Length);
            File.WriteAllBytes(weights, [.. prefix, .. written, .. bytes.AsSpan(8 + length)]);
            InProcess.EveryVerbFinishes(folder, models["written"], $"{name} {field} {value}");
        }
    }

    [Fact]
    public void ValuesOfGgufMetadata()
    {
        object[] values =
        [
            uint.MaxValue, 1L << 40, ulong.MaxValue, -1, -1L, 0u, 1u, 2L, (byte)2, float.MaxValue, 2.0, double.Epsilon, true, "x", "", new[] { 2u, 2u }, new[] { 1, 2 },
            Array.Empty<float>(), new[] { "a" }, new Array[] { new[] { 1f } },
        ];
        Random random = new(3);
        string[] keys = [];
        SmallGguf.Write(models["odd.gguf"], m => keys = [.. m.Pairs.Select(p => p.Key), "llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.expert_count", "llama.attention.causal"]);
        foreach (string key in keys)
        {
            foreach (object value in random.GetItems(values, 5))
            {
                SmallGguf.Write(models["odd.gguf"], m => m.Set(key, value));
                InProcess.EveryVerbFinishes(models["odd.gguf"], models["written"], $"{key} = {value} ({value.GetType().Name})");
            }
            SmallGguf.Write(models["odd.gguf"], m => m.Remove(key));
            InProcess.EveryVerbFinishes(models["odd.gguf"], models["written"], $"without {key}");
        }
    }

    [Fact]
    public void FilesWithoutTensors()
    {
        string gguf = SmallGguf.Write(models["none.gguf"], tensors: false);
        InProcess.EveryVerbFinishes(gguf, models["written"], "a GGUF file without tensors");
        InProcess.Of("inspect", gguf, "--tensors").Succeeds();
        string folder = models.Copy("none");
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), [2, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}']);
        InProcess.EveryVerbFinishes(folder, models["written"], "a safetensors file without tensors");
        InProcess.Of("inspect", folder, "--tensors").Succeeds();
    }

    private void Bytes(string name, byte[] whole, int rounds, Func<byte[], string> write)
    {
        for (int seed = 0; seed < rounds; seed++)
        {
            Random random = new(seed);
            List<byte> bytes = [.. whole];
            for (int changes = random.Next(1, 5); changes > 0; changes--)
            {
                // Most of a file is weights; what can go wrong stands at its beginning.
                int at = random.Next(Math.Min(bytes.Count, random.Next(2) == 0 ? 4096 : bytes.Count));
                switch (random.Next(5))
                {
                    case 0: bytes[at] = (byte)random.Next(256); break;
                    case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                    case 2: bytes.InsertRange(at, bytes.Skip(at).Take(random.Next(1, 20)).ToArray()); break;
                    case 3: bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at)); break;
                    default: bytes.RemoveRange(at, random.Next(8) == 0 ? bytes.Count - at : 1); break;
                }
                if (bytes.Count == 0)
                    break;
            }
            InProcess.EveryVerbFinishes(write([.. bytes]), models["written"], $"{name}, seed {seed}");
        }
    }
}
