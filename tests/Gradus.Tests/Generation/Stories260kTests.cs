using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Testing;

namespace Gradus.Tests.Generation;

/// <summary>A real, trained model: greedy generation gives the ids of an independent double-precision computation.</summary>
public sealed class Stories260kTests
{
    public static TheoryData<string> Devices() => [.. TestDevices.Names];

    [SharedTheory("data", "stories260k-weights")]
    [MemberData(nameof(Devices))]
    public void TellsTheExpectedStory(string device)
    {
        JsonObject expected = Checkpoint.ReadObject(SharedFolder.Find("data", "stories260k-weights", "greedy-expected.json")!);
        using Llama2cFile file = Llama2cFile.Open(SharedFolder.Find("data", "stories260k-weights", "stories260K.bin")!);
        ModelConfig config = Architectures.Parse(file.Config, file.Path);
        using DecoderModel model = Assert.IsAssignableFrom<DecoderModel>(Checkpoint.Load(config, file, TestDevices.Get(device)));
        using Generator generator = new(model);
        int[] ids = ReferenceSteps.Ids(expected["ids"]!);
        GeneratedSequence story = generator.Run(new GenerationRequest([(int)expected["bos_id"]!]) { MaxNewTokens = ids.Length });
        Assert.Equal(ids, story.Generated.ToArray());
    }
}
