using Gradus.Evaluation.Tasks;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data;

namespace Gradus.Training.Tests.Data;

public sealed class EvaluatedLossTests
{
    // What a pre-training measures on its held-out text and what gradus evaluate says of it are one number.
    [Fact]
    public void TheLossOfHeldOutBlocksIsTheEvaluatedLoss()
    {
        LlamaConfig config = new(50, HiddenSize: 24, IntermediateSize: 32, NumHiddenLayers: 1, NumAttentionHeads: 4, MaxPositionEmbeddings: 32, InitializerRange: 0.3f);
        using GenerativeModel model = (GenerativeModel)Checkpoint.Create(config, 7, CpuDevice.Default);
        int[] tokens = [.. Enumerable.Range(0, 333).Select(i => i * 37 % 50)];
        double nats = 0;
        long targets = 0;
        foreach (MicroBatch batch in new RandomBlocks(tokens, 20, 3, 1).All())
        {
            using Workspace workspace = model.Parts.Store.NewScratch();
            nats += model.Losses(new Pass(batch.Tokens, workspace), workspace.From(batch.Targets)).Sum().Item();
            targets += batch.Targets.Length;
        }
        LossResult evaluated = LossTask.Run(model, tokens, 333, block: 20);
        Assert.Equal(targets, evaluated.Tokens);
        Assert.Equal(nats / targets, evaluated.Loss, 1e-6);
    }
}
