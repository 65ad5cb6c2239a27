// What gradus plan says of the training steps of TrainingBenchmark, and of LoRA on a model of Llama's shape, beside what they take.

using System.Diagnostics;
using Gradus.Adapters;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Text;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Measure;
using Gradus.Training.Objectives;
using Gradus.Training.Planning;
using Gradus.Training.Tuning;
using TunedModel = Gradus.Training.Tuning.Tuning;

namespace Gradus.Bench;

/// <summary>Compares plans with trainings.</summary>
internal static class PlanBench
{
    private const int Steps = 7;

    /// <summary>Prints a line for every training.</summary>
    public static void Run(Action<string> write)
    {
        write($"{CpuDevice.Default.Name}");
        write($"{"training",-44} {"planned s",10} {"taken s",10} {"off",7} {"planned MB",11} {"taken MB",9} {"off",7}");
        foreach (TrainingConfiguration c in TrainingBenchmark.Configurations)
        {
            foreach (Precision precision in (Precision[])[Precision.F32, .. CpuDevice.Default.FastPrecision == Precision.F32 ? [] : new[] { Precision.BF16 }])
                Compare($"{c.Name}, {precision}", c.Model, new StepShape(c.Batch * c.Length, c.Length), new TrainingOptions(int.MaxValue, Precision: precision), tune: null, write);
        }
        LlamaConfig llama = new(32_000, HiddenSize: 768, IntermediateSize: 2048, NumHiddenLayers: 12, NumAttentionHeads: 12, NumKeyValueHeads: 4, MaxPositionEmbeddings: 1024);
        TrainingOptions options = new TrainingOptions(int.MaxValue, Precision: Precision.Auto).On(CpuDevice.Default);
        Compare("Llama 110M, LoRA rank 16, 512 tokens", llama, new StepShape(512, 512), options, Lora, write);
        Compare("the same, recomputed", llama, new StepShape(512, 512), options with { Recompute = true }, Lora, write);
    }

    private static TunedModel Lora(LanguageModel model) => new LoraMethod(R: 16) { TargetModules = [ModuleNames.AllLinearWord] }
        .Apply(new TuningTarget(model, CharacterTokenizer.Train(["a"]), "base", "CAUSAL_LM", Updates: 1), seed: 1);

    private static void Compare(string name, ModelConfig config, StepShape shape, TrainingOptions options, Func<LanguageModel, TunedModel>? tune, Action<string> write)
    {
        TrainingPlan plan = TrainingPlan.Of(config, shape, options, CpuDevice.Default, tune);
        double planned = plan.Measure(CpuDevice.Default).Sum(t => t.Seconds);
        using LanguageModel model = Checkpoint.Create(config, 1, CpuDevice.Default);
        if (tune is null)
            model.SetTrainable(true);
        using TunedModel? tuned = tune?.Invoke(model);
        NextToken objective = new(new Repeated(shape, config.Vocabulary));
        using Trainer trainer = new(model, objective, options);
        for (long start = Stopwatch.GetTimestamp(); trainer.Steps < 2 || Stopwatch.GetElapsedTime(start).TotalSeconds < 1;)
            trainer.Step();
        double taken = Enumerable.Range(0, Steps).Select(_ => trainer.Step().Seconds).Order().ElementAt(Steps / 2);
        long bytes = model.Parts.Store.ReservedBytes + trainer.Optimizer.StateBytes + trainer.ReservedActivationBytes;
        write($"{name,-44} {planned,10:0.000} {taken,10:0.000} {(planned / taken) - 1,7:P1} {plan.Memory.Total / 1e6,11:N0} {bytes / 1e6,9:N0} {(plan.Memory.Total / (double)bytes) - 1,7:P1}");
    }

    private sealed class Repeated(StepShape shape, int vocabulary) : BatchSource
    {
        private readonly int[] _ids = [.. Enumerable.Range(0, shape.Tokens).Select(i => CounterRandom.Below(1, i, vocabulary))];

        public override MicroBatch this[long index] =>
            new(new(_ids, [.. Enumerable.Range(0, (shape.Tokens / shape.Length) + 1).Select(i => i * shape.Length)]), _ids);

        public override IEnumerable<MicroBatch> All() => [this[0]];
    }
}
