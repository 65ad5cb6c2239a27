#:project ../src/Gradus.Applications/Gradus.Applications.csproj
// Runs a program as a model would write it, without any authority and within limits: dotnet run examples/python.cs
using Gradus.Applications.Python;

string program = """
    from fractions import Fraction

    def solution():
        eggs, price = 16 - 3 - 4, 2
        print('eggs sold:', eggs)
        return eggs * price
    """;
PythonResult result = Interpreter.Run(program, new PythonOptions(Steps: 1_000_000), resultVariable: "solution");
Console.Write(result.Output);
Console.WriteLine($"the answer: {result.Result}");
Console.WriteLine(Interpreter.Run("open('/etc/passwd')").Error);
