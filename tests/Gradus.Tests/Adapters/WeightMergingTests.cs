using System.Globalization;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Tests.Files;
using Gradus.Tests.Goldens;

namespace Gradus.Tests.Adapters;

/// <summary>Merging against PEFT's numbers, and what it promises of models and adapters.</summary>
public sealed class WeightMergingTests
{
    public static TheoryData<string> Cases() => [.. SharedFolder.GoldenCases("peft").Where(n => SharedFolder.Find("golden", "peft", n, "tensors.safetensors") is not null)];

    [SharedTheory("golden", "peft")]
    [MemberData(nameof(Cases))]
    public void ComputesTheSameNumbers(string name)
    {
        using TensorsOf file = new(SharedFolder.Find("golden", "peft", name, "tensors.safetensors")!);
        float[][] tasks = [.. file.Names.Where(n => n.StartsWith("task.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(file.Floats)];
        float[] weights = file.Floats("weights");
        int compared = 0;
        foreach (string key in file.Names)
        {
            string[] parts = key.Split('_');
            float[]? actual = key switch
            {
                "task_arithmetic" => WeightMerging.Merge(tasks, new MergeOptions(MergeMethod.TaskArithmetic, weights), key),
                _ when key.StartsWith("ties_", StringComparison.Ordinal) => WeightMerging.Merge(
                    tasks, new MergeOptions(MergeMethod.Ties, weights, Number(parts[1]), parts[2] == "total" ? MajoritySign.Total : MajoritySign.Frequency), key),
                _ when key.StartsWith("magnitude_prune_", StringComparison.Ordinal) => WeightMerging.Merge(tasks, new MergeOptions(MergeMethod.MagnitudePrune, weights, Number(parts[2])), key),
                _ when key.StartsWith("pruned_magnitude_", StringComparison.Ordinal) => WeightMerging.Prune(
                    tasks[int.Parse(parts[2].Split('.')[^1], CultureInfo.InvariantCulture)], Number(parts[2][..parts[2].LastIndexOf('.')])),
                _ when key.StartsWith("slerp_", StringComparison.Ordinal) => WeightMerging.Slerp(tasks[0], tasks[1], (float)Number(parts[1])),
                _ => null,
            };
            if (actual is null)
                continue;
            compared++;
            float[] expected = file.Floats(key);
            Assert.Equal(expected.Length, actual.Length);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-5, $"{key}[{i}]: {actual[i]}, expected {expected[i]}");
        }
        Assert.True(compared > 0, $"{name}: nothing was compared");
    }

    [Theory]
    [InlineData(MergeMethod.DareLinear)]
    [InlineData(MergeMethod.DareTies)]
    public void WhatIsDroppedIsMadeUpForAndRepeatsWithTheSeed(MergeMethod method)
    {
        float[] ones = [.. Enumerable.Repeat(1f, 20000)];
        float[] Merged(ulong seed) => WeightMerging.Merge([ones, ones], new MergeOptions(method, [0.5f, 0.5f], 0.25, Seed: seed), "w");
        Assert.Equal(Merged(1), Merged(1));
        Assert.NotEqual(Merged(1), Merged(2));
        // A quarter of each, four times as large; of TIES those that agree are averaged.
        double expected = method == MergeMethod.DareLinear ? 1 : ((2 * 0.25 * 0.75) + (0.25 * 0.25)) * 2;
        Assert.Equal(expected, Merged(1).Average(), 0.05);
    }

    [Fact]
    public void AdaptersSideBySideAddUpExactlyAndSvdIsTheirLargestPart()
    {
        using TemporaryFolder folder = new();
        float[] a = Adapter(folder["a"], 1, rank: 2, alpha: 6), b = Adapter(folder["b"], 2, rank: 3, alpha: 3);
        float[] sum = [.. a.Zip(b, (x, y) => (0.5f * x) + (2 * y))];
        Close(sum, Change(Merge(folder, "cat", new MergeOptions(MergeMethod.Cat, [0.5f, 2]))), 1e-5f);
        Close(sum, Change(Merge(folder, "svd", new MergeOptions(MergeMethod.Svd, [0.5f, 2], Rank: 5))), 1e-4f);
        float[] largest = Change(Merge(folder, "svd1", new MergeOptions(MergeMethod.Svd, [0.5f, 2], Rank: 1)));
        Assert.True(largest.Zip(sum).Sum(p => Math.Pow(p.First - p.Second, 2)) < sum.Sum(v => (double)v * v));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => Merge(folder, "linear", new MergeOptions(MergeMethod.Linear, [0.5f, 2])));
        Assert.Contains("only cat and svd merge adapters of different ranks", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OneAdapterTwiceIsItself()
    {
        using TemporaryFolder folder = new();
        float[] a = Adapter(folder["a"], 1, rank: 2, alpha: 6);
        Adapter(folder["b"], 1, rank: 2, alpha: 6);
        foreach (MergeMethod method in new[] { MergeMethod.Linear, MergeMethod.Slerp, MergeMethod.Cat })
        {
            // Linear mixes A and B apart: half and half of equal ones is a quarter of √½·√½ each, four times over.
            float[] merged = Change(Merge(folder, method.ToString(), new MergeOptions(method, [0.5f, 0.5f])));
            Close([.. a.Select(v => method == MergeMethod.Linear ? 2 * v : v)], merged, 1e-4f);
        }
    }

    private const string Layer = "base_model.model.model.layers.0.self_attn.q_proj";

    // Writes an adapter of one layer (6, 5); returns its change.
    private static float[] Adapter(string path, ulong seed, int rank, double alpha)
    {
        using Workspace store = new(ReferenceDevice.Instance);
        Tensor a = store.Empty(new Shape(rank, 5)), b = store.Empty(new Shape(6, rank));
        Fill(a.Span(), seed);
        Fill(b.Span(), seed + 100);
        using AtomicFolder folder = AtomicFolder.Begin(path);
        Checkpoint.WriteObject(folder, PeftFolder.ConfigFile, new LoraConfig(R: rank, LoraAlpha: alpha, TargetModules: ModuleNames.Of("q_proj")).ToJson());
        Checkpoint.WriteTensors(folder.Create(PeftFolder.WeightsFile), new Dictionary<string, Tensor> { [$"{Layer}.lora_A.weight"] = a, [$"{Layer}.lora_B.weight"] = b });
        folder.Commit();
        return b.MatMul(a).Scale((float)(alpha / rank)).ToArray();
    }

    private static string Merge(TemporaryFolder folder, string name, MergeOptions options)
    {
        using AtomicFolder merged = AtomicFolder.Begin(folder[name]);
        LoraMerging.Write(merged, [folder["a"], folder["b"]], options);
        merged.Commit();
        return folder[name];
    }

    private static float[] Change(string path)
    {
        LoraConfig config = (LoraConfig)PeftFolder.ReadConfig(path);
        using Workspace store = new(ReferenceDevice.Instance);
        using TensorsOf file = new(Path.Combine(path, PeftFolder.WeightsFile));
        Tensor a = store.From(file.Floats($"{Layer}.lora_A.weight"), file.ShapeOf($"{Layer}.lora_A.weight"));
        Tensor b = store.From(file.Floats($"{Layer}.lora_B.weight"), file.ShapeOf($"{Layer}.lora_B.weight"));
        return b.MatMul(a).Scale(config.ScaleOf("model.layers.0.self_attn.q_proj")).ToArray();
    }

    private static void Fill(Span<float> values, ulong seed)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)CounterRandom.Normal(seed, i);
    }

    private static void Close(float[] expected, float[] actual, float tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], tolerance * Math.Max(1, Math.Abs(expected[i])));
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
