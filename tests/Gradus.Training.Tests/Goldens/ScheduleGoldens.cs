using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Testing;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Learning rates against transformers.</summary>
public sealed class ScheduleGoldens
{
    private static JsonObject File => Checkpoint.ReadObject(SharedFolder.Find("golden", "training", "schedules", "expected.json")!);

    public static TheoryData<string> Cases()
    {
        TheoryData<string> cases = [];
        if (SharedFolder.Find("golden", "training", "schedules") is null)
            return cases;
        foreach ((string name, JsonNode? about) in File["schedules"]!.AsObject())
        {
            if (!PendingGoldens.Of("training").ContainsKey(Mark(name, about!)))
                cases.Add(name);
        }
        return cases;
    }

    [SharedTheory("golden", "training", "schedules")]
    [MemberData(nameof(Cases))]
    public void GivesTheSameLearningRates(string name)
    {
        JsonNode about = File["schedules"]![name]!;
        double rate = (double)File["base_lr"]!;
        Schedule? schedule = Map(name, about);
        Assert.NotNull(schedule);
        Assert.Null(schedule.Problem());
        JsonArray expected = about["lr"]!.AsArray();
        for (int step = 0; step < expected.Count; step++)
        {
            // One cycle ends where the list ends; the others are also asked for steps beyond their end.
            int total = schedule is OneCycleSchedule ? expected.Count : (int)File["total"]!;
            double e = (double)expected[step]!, a = rate * schedule.Factor(step, total);
            Assert.True(Math.Abs(a - e) <= (1e-12 * Math.Abs(e)) + 1e-18, $"{name}: step {step}: {a:R}, expected {e:R}");
        }
    }

    [SharedFact("golden", "training", "schedules")]
    public void PendingListNamesOnlyWhatCannotRun()
    {
        foreach (string pending in PendingGoldens.Of("training").Keys.Where(k => k.StartsWith("schedule:", StringComparison.Ordinal)))
        {
            KeyValuePair<string, JsonNode?>[] marked = [.. File["schedules"]!.AsObject().Where(s => Mark(s.Key, s.Value!) == pending)];
            Assert.True(marked.Length > 0, $"{pending} is on the pending list, but there is no such case.");
            Assert.All(marked, m => Assert.Null(Map(m.Key, m.Value!)));
        }
    }

    private static string Mark(string name, JsonNode about) => $"schedule:{(string?)about["function"] ?? name}";

    private static Schedule? Map(string name, JsonNode about)
    {
        JsonNode k = about["kwargs"] ?? new JsonObject();
        int warmup = (int?)k["num_warmup_steps"] ?? 0;
        double rate = (double)File["base_lr"]!;
        return (string?)about["function"] switch
        {
            "get_constant_schedule" or "get_constant_schedule_with_warmup" => new ConstantSchedule(warmup),
            "get_linear_schedule_with_warmup" => new LinearSchedule(warmup),
            "get_cosine_schedule_with_warmup" => new CosineSchedule(warmup, (double?)k["num_cycles"] ?? 0.5),
            "get_cosine_with_min_lr_schedule_with_warmup" => new CosineSchedule(
                warmup, (double?)k["num_cycles"] ?? 0.5, (double?)k["min_lr_rate"] ?? (double)k["min_lr"]! / rate),
            "get_cosine_with_hard_restarts_schedule_with_warmup" => new CosineRestartsSchedule(warmup, (int?)k["num_cycles"] ?? 1),
            "get_polynomial_decay_schedule_with_warmup" => new PolynomialSchedule(
                warmup, (double?)k["power"] ?? 1, ((double?)k["lr_end"] ?? 1e-7) / rate),
            "get_inverse_sqrt_schedule" => new InverseSqrtSchedule(warmup, (int?)k["timescale"]),
            "get_wsd_schedule" => new WarmupStableDecaySchedule(
                warmup, (int)k["num_decay_steps"]!, Shape((string?)k["decay_type"]), (double?)k["min_lr_ratio"] ?? 0, (int?)k["num_stable_steps"]),
            null => Torch(name),
            _ => null,
        };
    }

    private static DecayShape Shape(string? name) => name switch
    {
        "linear" => DecayShape.Linear,
        "1-sqrt" => DecayShape.OneMinusSqrt,
        _ => DecayShape.Cosine,
    };

    // The file does not say how torch's were called; these arguments make its numbers.
    private static Schedule? Torch(string name) => name switch
    {
        "torch_steplr" => new StepSchedule(Every: 6, Decay: 0.5),
        "torch_exponential" => new StepSchedule(Every: 1, Decay: 0.9),
        "torch_cosine_annealing" => new CosineSchedule(Least: 0.05),
        "torch_onecycle" => new OneCycleSchedule(),
        _ => null,
    };
}
