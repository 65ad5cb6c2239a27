#:project ../src/Gradus.Training/Gradus.Training.csproj
// Trains a small Llama on generated stories, letter by letter, and lets it write: dotnet run examples/train.cs
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Text;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Data.SmallWorld;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;

string text = string.Join('\n', new SmallWorldGenerator(seed: 1).Stories(Split.Train, 500));
Tokenizer tokenizer = CharacterTokenizer.Train([text]);
LlamaConfig config = new(tokenizer.VocabularySize, HiddenSize: 64, IntermediateSize: 192, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 128);
using LanguageModel model = Checkpoint.Create(config, seed: 1, CpuDevice.Default);
model.SetTrainable(true);
NextToken objective = new(new RandomBlocks(tokenizer.Encode(text), block: 128, count: 4, seed: 1));
TrainingOptions options = new(Steps: 200) { Optimizer = new AdamW(LearningRate: 3e-3f) };
using Trainer trainer = new(model, objective, options);
while (trainer.Steps < options.Steps)
{
    StepReport step = trainer.Step();
    if (step.Step % 50 == 0)
        Console.WriteLine($"step {step.Step}: loss {step.Loss:F3}");
}
using Generator generator = new((GenerativeModel)model);
GeneratedSequence written = generator.Run([GenerationRequest.For((GenerativeModel)model, tokenizer.Encode("One day, ")) with { MaxNewTokens = 100 }])[0];
Console.WriteLine("One day, " + tokenizer.Decode(written.Generated));
