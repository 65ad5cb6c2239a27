using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Adapters;

/// <summary>Small models and data for tests of adapters, and a folder that goes away.</summary>
internal sealed class AdapterFixture : IDisposable
{
    private static readonly MicroBatch Data = new(
        new TokenBatch([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [0, 7, 12]), [1, 4, 1, 5, 9, 2, MicroBatch.Ignored, 5, 3, 5, 8, MicroBatch.Ignored]);

    public string Folder { get; } = Directory.CreateTempSubdirectory("gradus-adapter-").FullName;

    public static LlamaConfig LlamaConfig { get; } = new(
        VocabSize: 17, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, MaxPositionEmbeddings: 32, InitializerRange: 0.3f);

    public static Gpt2Config Gpt2Config { get; } = new(
        VocabSize: 17, NPositions: 32, NEmbd: 16, NLayer: 2, NHead: 4, ResidPdrop: 0, EmbdPdrop: 0, AttnPdrop: 0, InitializerRange: 0.3f);

    public static DecoderModel Llama() => (DecoderModel)Checkpoint.Create(LlamaConfig, 5, ReferenceDevice.Instance);

    public static DecoderModel Gpt2() => (DecoderModel)Checkpoint.Create(Gpt2Config, 6, ReferenceDevice.Instance);

    public static float[] Logits(DecoderModel model)
    {
        using Workspace step = model.Parts.Store.NewScratch();
        return model.Logits(new Pass(Data.Tokens, step)).ToArray();
    }

    /// <summary>The same batch at every step.</summary>
    public static Objective Objective() => new NextToken(new Same());

    /// <summary>Trains for some steps with a high rate; returns the losses.</summary>
    public static List<double> Train(LanguageModel model, int steps, ulong seed = 1)
    {
        using Trainer trainer = new(model, Objective(), new TrainingOptions(steps, Seed: (long)seed) { Optimizer = new AdamW(0.02) });
        return [.. Enumerable.Range(0, steps).Select(_ => trainer.Step().Loss)];
    }

    public static Dictionary<string, float[]> Values(LanguageModel model) => model.Parameters.ToDictionary(p => p.Name, Values);

    public static float[] Values(Parameter parameter)
    {
        using Workspace scratch = new(parameter.Value.Device);
        return scratch.Adopt(parameter.Value).ToF32().ToArray();
    }

    public static void Close(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second)) <= tolerance, $"off by {expected.Zip(actual).Max(p => Math.Abs(p.First - p.Second))}");
    }

    public string At(string name) => Path.Combine(Folder, name);

    /// <summary>A saved adapter on the small Llama, whose files tests then spoil.</summary>
    public string SavedLora(PeftConfig? config = null)
    {
        using DecoderModel model = Llama();
        using ModelAdapter adapter = ModelAdapter.Attach(model, config ?? new LoraConfig(R: 4), 7);
        PeftFolder.Save(At("saved"), adapter);
        return At("saved");
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private sealed class Same : BatchSource
    {
        public override MicroBatch this[long index] => Data;

        public override IEnumerable<MicroBatch> All() => [Data];
    }
}
