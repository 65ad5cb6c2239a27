using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Tests.Generation;

/// <summary>Small decoder-only models with random weights, large enough to tell wrong numbers from right ones.</summary>
internal static class TinyModels
{
    public const int Context = 96;

    private static readonly Dictionary<string, ModelConfig> Configs = new()
    {
        ["llama"] = new LlamaConfig(VocabSize: 101, HiddenSize: 48, IntermediateSize: 80, NumHiddenLayers: 2, NumAttentionHeads: 6,
            NumKeyValueHeads: 2, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["gpt2"] = new Gpt2Config(VocabSize: 101, NPositions: Context, NEmbd: 48, NLayer: 2, NHead: 4, InitializerRange: 0.3f),
    };

    public static IEnumerable<string> Names => Configs.Keys;

    public static DecoderModel Make(string name, Device device) =>
        (DecoderModel)Architectures.Build(Configs[name], new Scope(ParameterSource.Random(7), new Workspace(device)));

    public static Device Cpu(int threads) => CpuDevice.Create(CpuFeatures.Best, new Workers(threads));

    public static int[] Prompt(int length, ulong key) => [.. Enumerable.Range(0, length).Select(i => CounterRandom.Below(key, i, 101))];
}
